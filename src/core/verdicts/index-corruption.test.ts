import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { IndexState } from "../../model/signal.ts";
import type { Health } from "../../model/verdict.ts";
import { judgeIndexCorruption } from "./index-corruption.ts";
import { copy, EU, history, input, outage, US, word } from "./indexes.fixture.ts";
import type { JudgeInput } from "./input.ts";

const FAULT = { fault: { kind: "corruption", because: "3 of 9 records differ" } } as const;
const QUARANTINED = { standing: { kind: "quarantined", because: "3 records differ" } } as const;
const RESTORING = { standing: { kind: "restoring", loaded: 1, total: 9 } } as const;
const PARTIAL = { standing: { kind: "partial", loaded: 1, total: 9 } } as const;
const UNREADABLE = { readable: false, error: "file is not a database" } as const;
const FOLLOWS_NOBODY = { error: "the agent of eu-west does not answer" } as const;

function healthOf(given: JudgeInput, region: string): Health | undefined {
  return judgeIndexCorruption(given, []).find((one) => one.region === region)?.health;
}

describe("a copy", () => {
  type Row = readonly [what: string, over: Partial<IndexState>, owner: Health, replica: Health];
  const now: Row[] = [
    ["with nothing against it", {}, "healthy", "healthy"],
    ["of which a look found nothing", { fault: null }, "healthy", "healthy"],
    [
      "of an older agent, that says nothing of it",
      { readable: undefined as never },
      "healthy",
      "healthy",
    ],
    ["whose owner is silent: that is no damage", FOLLOWS_NOBODY, "healthy", "healthy"],
    ["that is partly restored, and answers", PARTIAL, "healthy", "healthy"],
    ["with a fault", FAULT, "failed", "degraded"],
    ["in quarantine", QUARANTINED, "failed", "degraded"],
    ["that is being restored", RESTORING, "degraded", "degraded"],
    ["that cannot be read", UNREADABLE, "degraded", "degraded"],
  ];
  for (const [what, over, owner, replica] of now) {
    test(`${what} is ${owner} at the owner, ${replica} in a replica, when it has just begun`, () => {
      assert.equal(healthOf(input([copy(EU, over)]), EU), owner);
      assert.equal(healthOf(input([copy(US, over)]), US), replica);
    });
    const lasting = owner === "healthy" ? "healthy" : "failed";
    test(`${what} is ${lasting} everywhere when it lasts`, () => {
      assert.equal(healthOf(input([copy(EU, over, 5_000)]), EU), lasting);
      assert.equal(healthOf(input([copy(US, over, 5_000)]), US), lasting);
    });
  }

  test("that was sound in between begins anew", () => {
    const states = [...Array(6).fill(UNREADABLE), {}, ...Array(12).fill(UNREADABLE)];
    assert.equal(healthOf(input([history(EU, states)]), EU), "degraded");
  });

  test("of a region that is out, or of an agent that is silent, is unknown", () => {
    const bad = input([copy(EU, FAULT, 5_000)]);
    for (const health of ["failed", "unknown"] as const) {
      const [found] = judgeIndexCorruption(bad, [outage(EU, health)]);
      assert.deepEqual([found?.health, found?.witnesses], ["unknown", []]);
    }
    const seen = copy(EU, FAULT).seen.map((one) => ({ ...one, agoMs: 9_000 }));
    assert.equal(healthOf(input([{ ...copy(EU), seen }]), EU), "unknown");
  });

  test("is named with its fault, its witness and why it cannot be repaired", () => {
    const [found] = judgeIndexCorruption(input([copy(EU, FAULT)]), [outage(EU, "healthy")]);
    assert.deepEqual(found, {
      domain: "index-corruption",
      region: EU,
      index: "handbook",
      health: "failed",
      because:
        "eu-west's copy of handbook is damaged (corruption: 3 of 9 records differ); eu-west owns it, and has nobody to repair it from",
      witnesses: [
        {
          observer: "agent:eu-west",
          observerRegion: EU,
          saw: "is damaged (corruption: 3 of 9 records differ)",
        },
      ],
      failingForMs: 0,
    });
  });
});

describe("the word of a gateway that a copy refused", () => {
  const heard = (trouble: Parameters<typeof word>[1], over: Partial<IndexState> = {}) =>
    healthOf(input([copy(EU, over)], {}, [word(EU, trouble)]), EU);

  test("is doubt at first, and certain when it lasts", () => {
    assert.equal(heard({ sinceMs: 1_000 }), "degraded");
    assert.equal(heard({ sinceMs: 4_000 }), "failed");
    assert.equal(heard(null), "healthy");
  });

  test("is refuted by a look at the whole copy that ended later and found nothing", () => {
    const scrub = (wholeAgoMs: number | null) => ({
      scrub: { wholeAgoMs, records: 9, cure: null },
    });
    const word = { sinceMs: 9_000, seenAgoMs: 2_000 };
    assert.equal(heard(word, { fault: null, ...scrub(1_000) }), "healthy");
    assert.equal(heard(word, { fault: null, ...scrub(3_000) }), "failed");
    assert.equal(heard(word, { fault: null, ...scrub(null) }), "failed", "no look has ended yet");
  });

  test("counts for that region's copy only, and only while somebody repeats it", () => {
    const us = input([copy(US)], {}, [word(EU, { sinceMs: 9_000 })]);
    assert.equal(healthOf(us, US), "healthy");
    const old = input([copy(EU)], {}, [word(EU, { sinceMs: 9_000 }, { agoMs: 9_000 })]);
    assert.equal(healthOf(old, EU), "healthy");
  });

  test("has those as witnesses who read it", () => {
    const observers = ["agent:us-east", "controller:c1"];
    const windows = observers.map((observer) => word(EU, { sinceMs: 9_000 }, { observer }));
    const [found] = judgeIndexCorruption(input([copy(EU)], {}, windows), []);
    assert.deepEqual(
      found?.witnesses.map(({ observer }) => observer),
      observers,
    );
    assert.match(
      found?.because ?? "",
      /gateway of eu-west is refused by handbook, for 9\.2 s: record leave/,
    );
  });
});

test("a copy fails only by a finding at its owner, or by what has lasted for confirm", () => {
  const kinds = [{}, FAULT, QUARANTINED, RESTORING, UNREADABLE, FOLLOWS_NOBODY];
  const isBad = (over: object) => ![kinds[0], FOLLOWS_NOBODY].includes(over);
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 20 }),
      fc.constantFrom(EU, US),
      (states, region) => {
        const health = healthOf(input([history(region, states)]), region);
        const end = states.findIndex((over) => !isBad(over));
        const run = end === -1 ? states.length : end;
        const found = region === EU && (states[0] === FAULT || states[0] === QUARANTINED);
        const lasted = (run - 1) * 500 >= 4_000;
        const expected = run === 0 ? "healthy" : found || lasted ? "failed" : "degraded";
        assert.equal(health, expected);
      },
    ),
  );
});
