import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { EstateStatus, RegionStatus, StandbyStatus, WorkflowStatus } from "../api/status.ts";
import { EMPTY_POSITION } from "../model/position.ts";
import { statusLines } from "./status.ts";

const READY: StandbyStatus = { region: "us-east", ready: true, because: "8 of 8", at: 1 };
const FLOW: WorkflowStatus = {
  workflow: "rag",
  serving: ["eu-west"],
  epoch: 4,
  mode: "normal",
  movingBy: null,
  standbys: [READY],
  lastDecision: "nothing is wrong",
  rtoMs: 10_000,
  rpoMs: 2_000,
};
const REGION: RegionStatus = {
  region: "eu-west",
  jurisdiction: "EU",
  agent: "reporting",
  gatewaySnapshot: 12,
  indexes: [
    {
      index: "handbook",
      position: { ...EMPTY_POSITION, seq: 187, count: 60 },
      ownerPosition: null,
      lagMs: 210,
      ownerSeenAgoMs: 1,
      orphans: 0,
      error: null,
    },
  ],
};

const NOW = Date.parse("2026-11-23T12:00:00Z");

function linesWith(over: Partial<EstateStatus> = {}): string[] {
  const status: EstateStatus = {
    estate: "meridian",
    leader: "controller:c1",
    snapshot: 12,
    releaseDigest: `sha256:${"9f2c51be07ad".repeat(5)}`,
    releaseExpires: null,
    workflows: [FLOW],
    regions: [REGION],
    targets: [],
    ownerships: [],
    plans: [],
    recent: [],
    ...over,
  };
  return statusLines(status, NOW).map(stripVTControlCharacters);
}

/** The one line that begins like this; two would be as wrong as none. */
function lineOf(lines: readonly string[], start: string): string {
  const found = lines.filter((line) => line.startsWith(start));
  assert.equal(found.length, 1, `${start}: ${found.length} lines of ${lines.join("\n")}`);
  return found[0] ?? "";
}

test("says loudly that the release has expired, and is still served", () => {
  const line = lineOf(linesWith({ releaseExpires: "2026-11-23T12:00:00Z" }), "release ");
  assert.match(line, /sha256:9f2c51be07ad EXPIRED at 2026-11-23T12:00:00Z: it is still served/);
  const later = linesWith({ releaseExpires: "2026-11-23T12:00:01Z" });
  assert.ok(!later.some((one) => one.includes("EXPIRED")));
});

test("an estate at rest, as a person reads it", () => {
  assert.deepEqual(linesWith(), [
    "meridian  leader controller:c1  snapshot 12  release sha256:9f2c51be07ad",
    "",
    "WORKFLOW  SERVED BY  EPOCH  MODE    RTO     RPO    STANDBY",
    "rag       eu-west    4      normal  10.0 s  2.0 s  us-east ready (8 of 8)",
    "",
    "REGION        AGENT      GATEWAY SERVES  INDEXES",
    "eu-west (EU)  reporting  snapshot 12     handbook at 187, 60 documents, lag 210 ms",
    "",
    "rag: nothing is wrong",
  ]);
});

describe("a standby", () => {
  const shown = (...standbys: StandbyStatus[]) =>
    lineOf(linesWith({ workflows: [{ ...FLOW, standbys }] }), "rag  ");
  const NOT = { ...READY, ready: false, because: "index handbook lags 12.0 s" };
  const UNKNOWN = { ...READY, ready: null, because: "its agent is silent; it last said: 8 of 8" };

  test("that is not ready cannot be overlooked, and says why", () => {
    assert.ok(shown(NOT).endsWith("  us-east NOT READY: index handbook lags 12.0 s"));
  });

  test("that nobody can see is unknown, never ready, whatever it was last", () => {
    const line = shown(UNKNOWN);
    assert.ok(line.endsWith("  us-east unknown: its agent is silent; it last said: 8 of 8"));
    assert.doesNotMatch(line, /us-east ready/);
  });

  test("stands beside the others; a workflow without one shows that", () => {
    const two = shown(NOT, { ...READY, region: "ap-south" });
    assert.match(two, /us-east NOT READY: .*; ap-south ready \(8 of 8\)$/);
    assert.match(shown(), / {2}-$/);
  });
});

test("an estate without a leader says so in its first line", () => {
  const [first] = linesWith({ leader: null, snapshot: null, releaseDigest: null });
  assert.equal(first, "meridian  leader no controller leads  snapshot -  release -");
});

test("a workflow that nobody serves yet is shown as that", () => {
  const lines = linesWith({ workflows: [{ ...FLOW, serving: [], epoch: 0 }] });
  assert.match(lineOf(lines, "rag  "), /^rag {7}nobody yet {2}0 /);
});

test("a silent region shows no snapshot, and an index its troubles", () => {
  const [index] = REGION.indexes;
  assert.ok(index);
  const lines = linesWith({
    regions: [
      { ...REGION, agent: "silent", gatewaySnapshot: null, indexes: [] },
      { ...REGION, region: "us-east", indexes: [{ ...index, orphans: 3, error: "disk full" }] },
    ],
  });
  assert.match(lineOf(lines, "eu-west (EU)"), /silent +- +-$/);
  assert.match(lineOf(lines, "us-east (EU)"), /lag 210 ms, 3 orphaned changes \(disk full\)$/);
});

test("a target that is not well is shown with who sees it so, since when and why", () => {
  const because = "3 failures in a row (newest: connection refused)";
  const lines = linesWith({
    targets: [
      {
        ...{ target: "gpu-1", region: "eu-west", gateway: "eu-west", observer: "agent:us-east" },
        ...{ domain: "capacity-loss", standing: "out", sinceMs: 12_300, ejections: 4, because },
      },
    ],
  });
  const at = lines.findIndex((line) => line.startsWith("TARGET"));
  assert.deepEqual(
    lines.slice(at, at + 2).map((line) => line.split(/ {2,}/)),
    [
      ["TARGET NOT WELL", "OF", "SEEN BY", "STANDING", "SINCE", "EJECTIONS", "WHY"],
      ["gpu-1", "eu-west", "gateway of eu-west", "left alone", "12.3 s", "4", because],
    ],
  );
});

test("plans under way and the newest sentences come last, with their time of day", () => {
  const at = Date.UTC(2026, 10, 23, 2, 58, 41);
  const lines = linesWith({
    plans: [{ id: "p1", workflow: "rag", kind: "failover", at: "open-traffic" }],
    recent: [{ at, text: "eu-west is failed" }],
  });
  assert.deepEqual(lines.slice(-5), [
    "rag: nothing is wrong",
    "failover of rag is at step open-traffic",
    "",
    "Lately:",
    "  02:58:41  eu-west is failed",
  ]);
});

test("a copy that nobody is answered from says why, and a vouched one up to when", () => {
  const [state] = REGION.indexes;
  if (state === undefined) throw new Error("the fixture has one index");
  const lineWith = (over: object): string =>
    lineOf(
      linesWith({ regions: [{ ...REGION, indexes: [{ ...state, ...over }] }] }),
      "eu-west (EU)",
    );
  const watermarks = { all: 1_000, tenants: { acme: 61_000 } };
  assert.match(
    lineWith({ watermarks }),
    /lag 210 ms, vouched for up to 1970-01-01T00:01:01\.000Z$/,
  );
  const standing = { kind: "quarantined", because: "3 records differ" };
  assert.match(lineWith({ standing }), /, IN QUARANTINE \(3 records differ\)$/);
  const fault = { kind: "loss", because: "3 of 60 records are missing" };
  assert.match(lineWith({ standing, fault }), /, DAMAGED \(loss: 3 of 60 records are missing\)$/);
  assert.match(lineWith({ standing: { kind: "restoring", loaded: 5, total: 60 } }), /5 of 60/);
});

test("says who owns an index and what is thought of that, and which plan moves it", () => {
  const owned = { index: "handbook", region: "us-east", epoch: 3, frozen: false, movingBy: null };
  const lines = linesWith({
    ownerships: [
      { ...owned, lastDecision: "us-east owns handbook, and nothing speaks against it" },
    ],
    plans: [
      { id: "p1", workflow: "index:handbook", kind: "move-index", at: "freeze-index-handbook" },
    ],
  });
  assert.equal(
    lineOf(lines, "index handbook"),
    "index handbook: us-east owns handbook, and nothing speaks against it",
  );
  lineOf(lines, "move-index of index:handbook is at step freeze-index-handbook");
});
