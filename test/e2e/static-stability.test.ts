import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { GATEWAY_PATHS, HEADERS } from "../../src/wire/headers.ts";
import { ask, callerOf, gatewayUrl, WORKFLOWS } from "../support/callers.ts";
import { eventually, startSample, type TestEstate } from "../support/estate.ts";

const REGIONS = ["eu-west", "us-east"] as const;
/** Moved away from where the spec says that it begins: only the snapshot knows. */
const MOVED = "summarize";

describe("a data plane without its control plane", () => {
  let up: TestEstate;
  let newest: number;

  before(async () => {
    up = await startSample();
  });
  after(async () => {
    await up?.stop();
  });

  // The first test on purpose: a moment later it would be so anyway.
  it("is called up only when every gateway has a snapshot to serve from", async () => {
    const numbers = await Promise.all(
      REGIONS.map(async (region) => (await statusOf(region)).number),
    );
    assert.ok(
      numbers.every((number) => number > 0),
      `the gateways' snapshots: ${numbers.join(", ")}`,
    );
  });

  it("rides out a region that stands still for two seconds, and nothing is moved", async () => {
    await eventually("us-east to be ready, so that a move would be possible", async () => {
      const { workflows } = await up.control.status();
      return workflows.every(({ standbys }) => standbys[0]?.ready === true);
    });
    up.supervisor.signalRegion("eu-west", "SIGSTOP");
    const asked = WORKFLOWS.flatMap((workflow) =>
      [false, true].map((stream) => ask(callerOf(up, "us-east"), workflow, undefined, stream)),
    );
    // The fault's own length, not a wait for something: shorter than `detection.confirm`.
    await pause(2_000);
    up.supervisor.signalRegion("eu-west", "SIGCONT");
    for (const { headers, text } of await Promise.all(asked)) {
      assert.equal(headers.get(HEADERS.region), "eu-west");
      assert.ok(text.length > 0);
    }
    await eventually("the verdicts to be healthy again", async () => {
      const { workflows, regions } = await up.control.status();
      return (
        workflows.every(({ lastDecision }) => lastDecision === "eu-west serves and is healthy") &&
        regions.every(({ agent }) => agent === "reporting")
      );
    });
    assert.deepEqual((await up.control.plans()).plans, []);
  });

  it("serves from its snapshots when controllers, store and release are gone", async () => {
    await up.control.move("switchover", MOVED, { to: "us-east", by: "a test" });
    await eventually(`${MOVED} to be served by us-east, known to both gateways`, async () => {
      const { workflows, regions, snapshot } = await up.control.status();
      const moved = workflows.find(({ workflow }) => workflow === MOVED);
      newest = snapshot ?? 0;
      const told = regions.every(({ gatewaySnapshot }) => gatewaySnapshot === snapshot);
      return moved?.serving[0] === "us-east" && moved.movingBy === null && told;
    });
    await killRole("controller");
    for (const file of filesOfStore()) rmSync(file);
    rmSync(join(dirname(up.estate.specPath), "release"), { recursive: true });
    await killRole("gateway");

    for (const region of REGIONS) await up.supervisor.startProcess(`gateway:${region}`);
    await assertServes();
    assert.deepEqual(filesOfStore(), [], "nobody may begin a new store in the old one's place");
  });

  it("refuses a snapshot file that somebody changed, says so, and serves nobody from it", async () => {
    // Without agents, so that nobody but a peer could hand a gateway what it lacks.
    await killRole("agent");
    await killRole("gateway");
    tamper("us-east");
    await up.supervisor.startProcess("gateway:us-east");
    assertRefusedLoudly("us-east", 1);
    const { number, lastError } = await statusOf("us-east");
    assert.equal(number, 0);
    assert.match(lastError ?? "", /snapshot\.json was refused: no trusted key made its signature/);
    const ready = await fetch(`${gatewayUrl(up, "us-east")}/readyz`);
    assert.equal(ready.status, 503);
    assert.match(await ready.text(), /was refused/);
    await assert.rejects(ask(callerOf(up, "us-east"), MOVED), { status: 503, code: "no_snapshot" });
  });

  it("takes a peer's snapshot when its own is gone", async () => {
    await up.supervisor.startProcess("gateway:eu-west");
    await up.supervisor.killProcess("gateway:us-east");
    assert.equal(existsSync(snapshotFile("us-east")), false);
    await up.supervisor.startProcess("gateway:us-east");
    assert.equal((await statusOf("us-east")).number, newest);
    await assertServes();
  });

  it("takes a peer's snapshot when its own was changed", async () => {
    await up.supervisor.killProcess("gateway:us-east");
    tamper("us-east");
    await up.supervisor.startProcess("gateway:us-east");
    assertRefusedLoudly("us-east", 2);
    assert.equal((await statusOf("us-east")).number, newest);
    await assertServes();
    // What it took is kept: it needs no peer the next time.
    await killRole("gateway");
    await up.supervisor.startProcess("gateway:us-east");
    assert.equal((await statusOf("us-east")).number, newest);
  });

  /** Every workflow, streamed and not, through both gateways. */
  async function assertServes(): Promise<void> {
    const asked = REGIONS.flatMap((region) =>
      WORKFLOWS.flatMap((workflow) =>
        [false, true].map((stream) => assertServesOne(region, workflow, stream)),
      ),
    );
    await Promise.all(asked);
  }

  async function assertServesOne(region: string, workflow: string, stream: boolean): Promise<void> {
    const told = await ask(callerOf(up, region), workflow, undefined, stream);
    assert.ok(told.text.length > 0);
    const serving = workflow === MOVED ? "us-east" : "eu-west";
    assert.equal(told.headers.get(HEADERS.region), serving);
    assert.equal(told.headers.get(HEADERS.mode), "normal");
    assert.equal(told.headers.get(HEADERS.snapshot), String(newest));
    assert.equal(told.headers.get(HEADERS.epoch), workflow === MOVED ? "2" : "1");
    assert.equal(told.headers.get(HEADERS.release), up.estate.release?.digest);
  }

  function assertRefusedLoudly(region: string, times: number): void {
    const log = readFileSync(up.estate.data.log(`gateway-${region}`), "utf8");
    const lines = log.split("\n").filter((line) => line.includes("SNAPSHOT_REFUSED"));
    assert.equal(lines.length, times, log);
    const { level, msg, next } = JSON.parse(lines.at(-1) ?? "");
    assert.equal(level, 50);
    assert.match(msg, /was refused: no trusted key made its signature.* moved to .*\.refused$/);
    assert.ok(next);
    assert.ok(existsSync(`${snapshotFile(region)}.refused`));
  }

  /** Well-formed, and even plausible: only the signature can tell. */
  function tamper(region: string): void {
    const from = existsSync(snapshotFile(region)) ? region : "eu-west";
    const signed = JSON.parse(readFileSync(snapshotFile(from), "utf8"));
    const payload = JSON.parse(signed.payload);
    payload.number += 1_000;
    payload.workflows[MOVED].serving = ["eu-west"];
    const changed = { ...signed, payload: JSON.stringify(payload) };
    writeFileSync(snapshotFile(region), JSON.stringify(changed));
  }

  function snapshotFile(region: string): string {
    return up.estate.data.region(region).snapshot;
  }

  function filesOfStore(): string[] {
    const { root } = up.estate.data;
    return readdirSync(root)
      .filter((name) => name.startsWith("store.db"))
      .map((name) => join(root, name));
  }

  async function statusOf(region: string): Promise<{ number: number; lastError: string | null }> {
    const response = await fetch(`${gatewayUrl(up, region)}${GATEWAY_PATHS.status}`);
    return (await response.json()) as { number: number; lastError: string | null };
  }

  async function killRole(role: "controller" | "gateway" | "agent"): Promise<void> {
    const victims = up.supervisor
      .processes()
      .filter(({ name, state }) => name.startsWith(`${role}:`) && state === "running");
    await Promise.all(victims.map(({ name }) => up.supervisor.killProcess(name)));
  }
});
