import assert from "node:assert/strict";
import { test } from "node:test";
import { specWith } from "../../../test/support/core-values.ts";
import type { CopyWindow } from "../../core/signals/indexes.ts";
import type { IndexStanding } from "../../model/index-health.ts";
import type { GoldenScore, OutcomeWindow } from "../../model/outcomes.ts";
import { bucketOf } from "../../model/outcomes.ts";
import { EMPTY_POSITION } from "../../model/position.ts";
import type { IndexState, Signal } from "../../model/signal.ts";
import type { Spec } from "../../model/spec.ts";
import type { Observation } from "./observe.ts";
import { type Thought, think } from "./think.ts";

/**
 * Two failure domains that look alike, at every moment of an activation: each fault gets its own
 * cure, and no fault gets the other's. eu-west serves, us-east stands by and gets the release first.
 */

const OLD = `sha256:${"0".repeat(64)}`;
const NEW = `sha256:${"1".repeat(64)}`;
const [EU, US] = ["eu-west", "us-east"] as const;
const NOW = 100_000;
const WALL = 1_000_000;
/** For source time, which is no time of this process. */
const WALL_NOW = Date.UTC(2026, 0, 1);

const whole = specWith({
  golden: { questions: "golden.yaml" },
  declare: {
    by: "automatic",
    who: "on-call",
    signals: ["region-outage", "capacity-loss", "index-corruption"],
  },
});
const spec: Spec = {
  ...whole,
  indexes: Object.fromEntries(
    Object.entries(whole.indexes).map(([name, index]) => [
      name,
      { ...index, freshness: { maxAge: 60_000, tenants: {} } },
    ]),
  ),
  regions: Object.fromEntries(
    Object.entries(whole.regions).filter(([name]) => name !== "ap-south"),
  ),
};

/** Which regions have the new release, and whether it is written down as good. */
const MOMENTS = {
  before: { has: [] as readonly string[], good: [OLD] },
  "standby bakes": { has: [US], good: [OLD] },
  "all bake": { has: [EU, US], good: [OLD] },
  after: { has: [EU, US], good: [NEW, OLD] },
} as const;
type Moment = keyof typeof MOMENTS;

interface Faults {
  /** The new release loses every second golden answer. */
  readonly wrong?: boolean;
  /** Every second request to the new release fails. */
  readonly failing?: boolean;
  /** Nobody answers there, for 5 s. */
  readonly dead?: readonly string[];
  /** The provider behind both regions takes five times as long. */
  readonly slow?: boolean;
  /** The runtime does not answer there, and every second request fails whatever the release is. */
  readonly noRuntime?: string;
  /** No model there answers its gateway, for 5 s; its agent finds each alive unless `noRuntime`. */
  readonly noModels?: readonly string[];
  /** The copy of the index is in quarantine there; the agent of a dead region reports nothing. */
  readonly damaged?: readonly string[];
  /** The pipeline fell silent an hour ago. */
  readonly late?: boolean;
}

function thought(moment: Moment, faults: Faults, sinceMs = 8_000): Thought {
  const { has, good } = MOMENTS[moment];
  const runs = (region: string): string => (has.some((one) => one === region) ? NEW : OLD);
  const regions = Object.fromEntries(
    // 8 s ago is before anything fell silent.
    [EU, US].map((region) => [region, { digest: runs(region), since: WALL - sinceMs }]),
  );
  const seen: Observation = {
    now: NOW,
    wallNow: WALL,
    signals: [EU, US].flatMap((region) => signalsFrom(region, faults)),
    intents: [
      {
        revision: 1,
        value: {
          workflow: "support",
          epoch: 1,
          serving: [EU],
          mode: null,
          movingBy: null,
          because: "",
          since: 0,
        },
      },
    ],
    ownerships: [
      { revision: 1, value: { index: "handbook", epoch: 1, region: EU, frozen: false } },
    ],
    indexHolds: [],
    indexRequests: [],
    readiness: [],
    requests: [],
    releaseIntent: {
      revision: 1,
      value: { epoch: 2, regions, good: [...good], heldBy: null, because: "", since: 0 },
    },
    releases: [OLD, NEW].map((digest) => ({
      ...{ digest, number: null, canary: undefined, revision: 1 },
    })),
    releaseRequests: [],
    seenOfReleases: {
      windows: [windowOf(OLD, faults), ...(runs(EU) === NEW ? [windowOf(NEW, faults)] : [])],
      golden: [EU, US].map((region) => ({
        region,
        workflow: "support",
        scores: [scoreOf(OLD, faults), ...(runs(region) === NEW ? [scoreOf(NEW, faults)] : [])],
      })),
    },
    copies: [EU, US].flatMap((region) => copyIn(region, faults)),
    clocks: [{ observer: "controller", observerRegion: null, wallNow: WALL_NOW }],
    snapshot: null,
    gateways: new Map(),
  };
  return think(spec, seen, () => ({ sinceLastMoveMs: null, cooldownMs: 0, drainFailed: false }));
}

/** What a region's agent reports of its copy: for 5 s, unless it is dead. */
function copyIn(region: string, { damaged = [], dead = [], late }: Faults): CopyWindow[] {
  if (dead.includes(region)) return [];
  const standing: IndexStanding = damaged.includes(region)
    ? { kind: "quarantined", because: "3 records differ" }
    : { kind: "whole" };
  const state: IndexState = {
    index: "handbook",
    position: { ...EMPTY_POSITION, seq: 9, count: 9 },
    ownerPosition: null,
    lagMs: 0,
    ownerSeenAgoMs: null,
    orphans: 0,
    error: null,
    standing,
    watermarks: { all: WALL_NOW - (late === true ? 3_600_000 : 0), tenants: {} },
  };
  const seen = Array.from({ length: 11 }, (_, turn) => ({ agoMs: turn * 500, state }));
  return [{ region, observer: `agent:${region}`, index: "handbook", seen }];
}

/** Each region's gateway as the other region's agent and a controller see it. */
function signalsFrom(region: string, { dead = [], noRuntime, noModels = [] }: Faults): Signal[] {
  const down = dead.includes(region);
  const look = (observer: string, observerRegion: string | null): Signal[] =>
    Array.from({ length: 13 }, (_, turn): Signal => {
      const ok = !down || turn < 3;
      return {
        observer,
        observerRegion,
        seq: turn,
        subject: { region, part: "gateway" },
        at: NOW - (12 - turn) * 500,
        ok,
        detail: ok ? "200 in 3 ms" : "connection refused",
        latencyMs: 0,
      };
    });
  const runtime = look(`agent:${region}`, region).map(
    (signal, turn): Signal => ({
      ...signal,
      subject: { region, part: "runtime" },
      ok: noRuntime !== region || turn < 3,
    }),
  );
  const other = region === EU ? US : EU;
  // One number for one signal of one observer: the controller watches both regions.
  const base = region === EU ? 0 : 1_000;
  const words = noModels.includes(region) ? look("controller:c1", null).slice(-1) : [];
  const told = words.map((signal): Signal => {
    const standing = { standing: "out", sinceMs: 5_000, seenAgoMs: 0, ejections: 1 } as const;
    const subject = { region, part: "target", target: "gpu", gateway: region } as const;
    return { ...signal, subject, ok: false, trouble: { domain: "capacity-loss", ...standing } };
  });
  const looks = [...look(`agent:${other}`, other), ...look("controller:c1", null), ...runtime];
  return [...looks, ...told].map((signal, at) => ({ ...signal, seq: base + at }));
}

/** 200 requests that eu-west answered in one release. */
function windowOf(release: string, { failing, slow, noRuntime }: Faults): OutcomeWindow {
  const isNew = release === NEW;
  const errors = isNew && (failing || noRuntime === EU) ? 100 : 2;
  const latency = { [String(bucketOf(isNew && slow ? 2_000 : 400))]: 200 - errors };
  const amounts = { [String(bucketOf(60))]: 200 - errors };
  return {
    workflow: "support",
    region: EU,
    release,
    fromMsAgo: 60_000,
    toMsAgo: isNew ? 100 : 8_000,
    requests: 200,
    errors,
    refusals: 0,
    latency,
    length: amounts,
    cost: amounts,
    recent: { requests: 0, errors: 0, latency: {} },
  };
}

function scoreOf(release: string, { wrong, dead = [] }: Faults): GoldenScore {
  const ids = Array.from({ length: 40 }, (_, at) => `q${at}`);
  const lost = release === NEW && wrong === true ? ids.filter((_, at) => at % 2 === 0) : [];
  // A dead region gives no answers: what it had given before it died stays known.
  const unanswered = release === NEW && dead.length > 0 ? ids.slice(36) : [];
  const right = ids.filter((id) => !lost.includes(id) && !unanswered.includes(id));
  return { release, right, wrong: lost.filter((id) => !unanswered.includes(id)), unanswered };
}

function found({ verdicts, workflows, release }: Thought) {
  const health = (domain: string, region: string): string =>
    verdicts.find((one) => one.domain === domain && one.region === region)?.health ?? "-";
  return {
    out: [EU, US].map((region) => health("region-outage", region)).join(" "),
    bad: [EU, US].map((region) => health("bad-release", region)).join(" "),
    move: workflows[0]?.decision.kind,
    release: release?.decision.kind,
    to: release?.decision.release,
  };
}

const NOTHING: Faults = {};
const WRONG: Faults = { wrong: true };
const FAILING: Faults = { failing: true };
const EU_DEAD: Faults = { dead: [EU] };
const US_DEAD: Faults = { dead: [US] };
const ALL_DEAD: Faults = { dead: [EU, US] };
const SLOW: Faults = { slow: true };
const NO_RUNTIME: Faults = { noRuntime: EU };
const NO_MODELS: Faults = { noModels: [EU] };
const ALL_NO_MODELS: Faults = { noModels: [EU, US] };

type Row = readonly [
  moment: Moment,
  what: string,
  faults: Faults,
  out: string,
  bad: string,
  move: string,
  release: string,
];

const TABLE: readonly Row[] = [
  ["before", "nothing", NOTHING, "healthy healthy", "- -", "hold", "hold"],
  ["before", "region dead", EU_DEAD, "failed healthy", "- -", "failover", "hold"],
  ["before", "all dead", ALL_DEAD, "unknown unknown", "- -", "hold", "hold"],
  ["before", "runtime dead", NO_RUNTIME, "healthy healthy", "- -", "hold", "hold"],
  ["before", "models gone", NO_MODELS, "healthy healthy", "- -", "failover", "hold"],
  // A provider behind both, say: moving would carry it along.
  ["before", "all models gone", ALL_NO_MODELS, "healthy healthy", "- -", "hold", "hold"],
  ["before", "provider slow", SLOW, "healthy healthy", "- -", "hold", "hold"],

  ["standby bakes", "nothing", NOTHING, "healthy healthy", "- healthy", "hold", "hold"],
  ["standby bakes", "bad", WRONG, "healthy healthy", "- failed", "hold", "rollback"],
  ["standby bakes", "serving dead", EU_DEAD, "failed healthy", "- healthy", "failover", "hold"],
  ["standby bakes", "standby dead", US_DEAD, "healthy failed", "- unknown", "hold", "hold"],
  // What runs the old release fell silent, too: it is not the release.
  ["standby bakes", "all dead", ALL_DEAD, "unknown unknown", "- unknown", "hold", "hold"],
  [
    "standby bakes",
    "bad, and serving dead",
    { ...WRONG, ...EU_DEAD },
    "failed healthy",
    "- failed",
    "failover",
    "rollback",
  ],
  [
    "standby bakes",
    "bad, and standby dead",
    { ...WRONG, ...US_DEAD },
    "healthy failed",
    "- unknown",
    "hold",
    "hold",
  ],
  ["standby bakes", "provider slow", SLOW, "healthy healthy", "- healthy", "hold", "hold"],

  ["all bake", "nothing", NOTHING, "healthy healthy", "healthy healthy", "hold", "hold"],
  ["all bake", "bad", WRONG, "healthy healthy", "failed failed", "hold", "rollback"],
  ["all bake", "failing", FAILING, "healthy healthy", "failed healthy", "hold", "rollback"],
  ["all bake", "serving dead", EU_DEAD, "failed healthy", "unknown healthy", "failover", "hold"],
  ["all bake", "standby dead", US_DEAD, "healthy failed", "healthy unknown", "hold", "hold"],
  // Every region has it, every region fell silent after: rolled back, and nobody evacuates.
  ["all bake", "all dead", ALL_DEAD, "unknown unknown", "failed failed", "hold", "rollback"],
  [
    "all bake",
    "bad, and serving dead",
    { ...WRONG, ...EU_DEAD },
    "failed healthy",
    "unknown failed",
    "failover",
    "rollback",
  ],
  ["all bake", "provider slow", SLOW, "healthy healthy", "degraded healthy", "hold", "hold"],
  [
    "all bake",
    "bad, and provider slow",
    { ...WRONG, ...SLOW },
    "healthy healthy",
    "failed failed",
    "hold",
    "rollback",
  ],
  // A route to a model that is not there looks so, until the models do not answer a probe either.
  [
    "all bake",
    "failing, and models gone",
    { ...FAILING, ...NO_MODELS },
    "healthy healthy",
    "failed healthy",
    "hold",
    "rollback",
  ],
  [
    "all bake",
    "runtime dead, and models gone",
    { ...NO_RUNTIME, ...NO_MODELS },
    "healthy healthy",
    "unknown healthy",
    "failover",
    "hold",
  ],
  ["all bake", "runtime dead", NO_RUNTIME, "healthy healthy", "unknown healthy", "hold", "hold"],
  [
    "all bake",
    "bad, and runtime dead",
    { ...WRONG, ...NO_RUNTIME },
    "healthy healthy",
    "failed failed",
    "hold",
    "rollback",
  ],

  ["after", "nothing", NOTHING, "healthy healthy", "healthy healthy", "hold", "hold"],
  ["after", "bad", WRONG, "healthy healthy", "failed failed", "hold", "rollback"],
  ["after", "region dead", EU_DEAD, "failed healthy", "unknown healthy", "failover", "hold"],
  ["after", "all dead", ALL_DEAD, "unknown unknown", "failed failed", "hold", "rollback"],
  [
    "after",
    "bad, and region dead",
    { ...WRONG, ...EU_DEAD },
    "failed healthy",
    "unknown failed",
    "failover",
    "rollback",
  ],
  ["after", "provider slow", SLOW, "healthy healthy", "degraded healthy", "hold", "hold"],
];

for (const [moment, what, faults, out, bad, move, release] of TABLE) {
  test(`${moment}: ${what}: regions ${out}, release ${bad}, so ${move} and ${release}`, () => {
    const result = thought(moment, faults);
    const to = release === "rollback" ? OLD : undefined;
    assert.deepEqual(found(result), { out, bad, move, release, to });
  });
}

test("all regions dead after an activation: the outage says that it is not the regions", () => {
  const { verdicts, release } = thought("all bake", ALL_DEAD);
  const [outage] = verdicts.filter(({ domain }) => domain === "region-outage");
  assert.match(
    outage?.because ?? "",
    /^not the regions: eu-west and us-east all fell silent after/,
  );
  assert.match(release?.decision.because ?? "", /what they have in common is the release/);
});

test("regions that fell silent before they got the release do not speak against it", () => {
  const { release, out } = found(thought("all bake", ALL_DEAD, 1_000));
  assert.deepEqual({ release, out }, { release: "hold", out: "unknown unknown" });
});

const EU_BAD: Faults = { damaged: [EU] };
const US_BAD: Faults = { damaged: [US] };
const ALL_BAD: Faults = { damaged: [EU, US] };
const LATE: Faults = { late: true };

type IndexRow = readonly [
  moment: Moment,
  what: string,
  faults: Faults,
  copies: string,
  stale: string,
  move: string,
  release: string,
];

/** The same with a copy of the index that may not be believed, and with a pipeline that is late. */
const INDEX_TABLE: readonly IndexRow[] = [
  ["before", "nothing", NOTHING, "healthy healthy", "healthy", "hold", "hold"],
  ["before", "serving copy bad", EU_BAD, "failed healthy", "healthy", "failover", "hold"],
  ["before", "standby copy bad", US_BAD, "healthy failed", "healthy", "hold", "hold"],
  // Came from one source: no region is better than the other.
  ["before", "all copies bad", ALL_BAD, "failed failed", "healthy", "hold", "hold"],
  ["before", "pipeline late", LATE, "healthy healthy", "failed", "hold", "hold"],
  [
    "before",
    "pipeline late, and serving copy bad",
    { ...LATE, ...EU_BAD },
    "failed healthy",
    "failed",
    "failover",
    "hold",
  ],
  // Whose agent is dead says nothing of its copy, and its pipeline nothing of the source.
  ["before", "serving dead", EU_DEAD, "- healthy", "unknown", "failover", "hold"],
  [
    "before",
    "serving dead, and standby copy bad",
    { ...EU_DEAD, ...US_BAD },
    "- failed",
    "unknown",
    "hold",
    "hold",
  ],
  [
    "before",
    "serving copy bad, and standby dead",
    { ...EU_BAD, ...US_DEAD },
    "failed -",
    "healthy",
    "hold",
    "hold",
  ],
  // Nobody is left, and nobody knows why: not the copies either.
  ["before", "all dead", ALL_DEAD, "- -", "unknown", "hold", "hold"],
  [
    "standby bakes",
    "bad release, and serving copy bad",
    { ...WRONG, ...EU_BAD },
    "failed healthy",
    "healthy",
    "failover",
    "rollback",
  ],
  [
    "all bake",
    "bad release, and serving copy bad",
    { ...WRONG, ...EU_BAD },
    "failed healthy",
    "healthy",
    "failover",
    "rollback",
  ],
  [
    "all bake",
    "bad release, and all copies bad",
    { ...WRONG, ...ALL_BAD },
    "failed failed",
    "healthy",
    "hold",
    "rollback",
  ],
  ["all bake", "serving copy bad", EU_BAD, "failed healthy", "healthy", "failover", "hold"],
  [
    "after",
    "pipeline late, and bad release",
    { ...LATE, ...WRONG },
    "healthy healthy",
    "failed",
    "hold",
    "rollback",
  ],
];

for (const [moment, what, faults, copies, stale, move, release] of INDEX_TABLE) {
  test(`${moment}: ${what}: copies ${copies}, data ${stale}, so ${move} and ${release}`, () => {
    const result = thought(moment, faults);
    const health = (domain: string, region: string): string =>
      result.verdicts.find((one) => one.domain === domain && one.region === region)?.health ?? "-";
    const seen = [EU, US].map((region) => health("index-corruption", region)).join(" ");
    const { move: moved, release: changed } = found(result);
    assert.deepEqual(
      { copies: seen, stale: health("stale-data", EU), move: moved, release: changed },
      { copies, stale, move, release },
    );
    const { decision } = result.workflows[0] ?? {};
    if (move === "failover") assert.deepEqual([decision?.from, decision?.to], [[EU], [US]]);
  });
}
