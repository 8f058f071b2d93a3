import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { NO_WATERMARKS, type Watermarks } from "../../model/index-health.ts";
import type { Verdict } from "../../model/verdict.ts";
import { copy, EU, input, outage, state, US, WALL } from "./indexes.fixture.ts";
import type { IndexesInput } from "./input.ts";
import { judgeStaleData } from "./stale-data.ts";

const MAX_AGE = 60_000;
const FRESHNESS = new Map([["handbook", { maxAge: MAX_AGE, tenants: {} }]]);

function judged(watermarks: Watermarks, over: Partial<IndexesInput> = {}): Verdict[] {
  const copies = [copy(EU, { watermarks })];
  return judgeStaleData(input(copies, { freshness: FRESHNESS, ...over }), []);
}

const agoOf = (all: number): Watermarks => ({ all: WALL - all, tenants: {} });

describe("a pipeline that vouched", () => {
  const rows = [
    ["just now", 0, "healthy"],
    ["as long ago as is allowed", MAX_AGE, "healthy"],
    ["longer ago", MAX_AGE + 1, "degraded"],
    ["twice as long ago", 2 * MAX_AGE, "degraded"],
    ["longer ago than that", 2 * MAX_AGE + 1, "failed"],
    ["for a time that is still to come", -5_000, "healthy"],
  ] as const;
  for (const [what, ago, health] of rows) {
    test(`${what} is ${health}`, () => {
      assert.deepEqual(
        judged(agoOf(ago)).map((one) => one.health),
        [health],
      );
    });
  }

  test("is told with its index, its age and what was allowed", () => {
    const [found] = judged(agoOf(5 * MAX_AGE));
    assert.partialDeepStrictEqual(found, {
      domain: "stale-data",
      region: EU,
      index: "handbook",
      because:
        "the pipeline in eu-west has vouched for handbook up to 5 min ago; 1 min were allowed",
      witnesses: [{ observer: "controller", saw: "5 min by its clock" }],
      failingForMs: 4 * MAX_AGE,
    });
    const [never] = judged(NO_WATERMARKS);
    assert.equal(never?.health, "failed");
    assert.match(never?.because ?? "", /has never sent a watermark; 1 min were allowed/);
  });
});

describe("tenants", () => {
  const tenants = ["acme", "bolt"];
  const named = (verdicts: readonly Verdict[]) =>
    verdicts.map(({ tenant = "all", health }) => `${tenant} ${health}`);

  test("are judged apart where their word or their bound is another", () => {
    const marks = { all: WALL - 90_000, tenants: { acme: WALL - 1_000 } };
    assert.deepEqual(named(judged(marks, { tenants })), ["all degraded", "acme healthy"]);
    const strict = new Map([["handbook", { maxAge: MAX_AGE, tenants: { bolt: 10_000 } }]]);
    const found = judged(agoOf(15_000), { tenants, freshness: strict });
    assert.deepEqual(named(found), ["all healthy", "bolt degraded"]);
  });

  test("that nobody ever vouched for are late, though others are not", () => {
    const marks = { all: 0, tenants: { public: WALL, acme: WALL } };
    assert.deepEqual(named(judged(marks, { tenants })), ["all healthy", "bolt failed"]);
  });

  test("called like what every object has are tenants like others", () => {
    const found = judged(agoOf(0), { tenants: ["toString", "__proto__"] });
    assert.deepEqual(named(found), ["all healthy"]);
  });
});

describe("is not", () => {
  const late = { watermarks: agoOf(9 * MAX_AGE) };
  const healths = (given: ReturnType<typeof input>, outages: Verdict[] = []) =>
    judgeStaleData(given, outages).map(({ region, health }) => `${region} ${health}`);

  test("a replica that lags: only the owner's word counts", () => {
    const copies = [copy(EU), copy(US, late)];
    assert.deepEqual(healths(input(copies, { freshness: FRESHNESS })), ["eu-west healthy"]);
  });

  test("an outage: of an owner that is out, or silent, or cannot be read, nothing is known", () => {
    const given = input([copy(EU, late)], { freshness: FRESHNESS });
    assert.deepEqual(healths(given, [outage(EU, "failed")]), ["eu-west unknown"]);
    assert.deepEqual(healths(input([], { freshness: FRESHNESS })), ["eu-west unknown"]);
    const lost = [copy(EU, { ...late, readable: false })];
    assert.deepEqual(healths(input(lost, { freshness: FRESHNESS })), ["eu-west unknown"]);
  });

  test("judged where nobody asked for it, or nothing was written yet", () => {
    assert.deepEqual(healths(input([copy(EU, late)])), []);
    const empty = copy(EU, { ...late, position: { ...state().position, seq: 0 } });
    assert.deepEqual(healths(input([empty], { freshness: FRESHNESS })), ["eu-west unknown"]);
  });
});

test("one clock of three that jumps, by whatever, changes no verdict", () => {
  const clocks = (...walls: number[]) =>
    walls.map((wallNow, at) => ({ observer: `o${at}`, observerRegion: null, wallNow }));
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4 * MAX_AGE }),
      fc.integer({ min: -1e10, max: 1e10 }),
      fc.integer({ min: 0, max: 2 }),
      (age, jump, which) => {
        const calm = [WALL, WALL, WALL];
        const jumped = calm.with(which, WALL + jump);
        const health = (walls: number[]) =>
          judged(agoOf(age), { clocks: clocks(...walls) }).map((one) => one.health);
        assert.deepEqual(health(jumped), health(calm));
      },
    ),
  );
});
