import assert from "node:assert/strict";
import { test } from "node:test";
import { type CanaryResult, DEFAULT_CANARY } from "../../../model/canary.ts";
import { analyseCanary, type CanaryInput } from "./canary.ts";
import { NO_SAMPLE, type ReleaseSample } from "./sample.ts";
import { add, Growing, grown, type Nature, SOUND, seeded } from "./samples.fixture.ts";

const SIZE = { requests: 300, questions: 40 };

function input(over: Partial<CanaryInput> = {}): CanaryInput {
  return {
    old: grown(SOUND, seeded(4), SIZE),
    new: grown(SOUND, seeded(2), SIZE),
    control: null,
    excuse: null,
    expects: { traffic: true, golden: true },
    thresholds: DEFAULT_CANARY,
    ...over,
  };
}

/** The new release behaves like the old one, but for this. */
function trial(differs: Partial<Nature>, over: Partial<CanaryInput> = {}): CanaryResult {
  const fresh = grown({ ...SOUND, ...differs }, seeded(2), SIZE);
  return analyseCanary(input({ new: fresh, ...over }));
}

const controlled = (now: ReleaseSample) => ({ before: grown(SOUND, seeded(5), SIZE), now });
const slow = (seed: number) => grown({ ...SOUND, latencyMs: 2_000 }, seeded(seed), SIZE);
const failing = (seed: number) => grown({ ...SOUND, errors: 0.5 }, seeded(seed), SIZE);

test("canary: the table", () => {
  const nothing = { expects: { traffic: false, golden: false } };
  const goldenOnly = { expects: { traffic: false, golden: true } };
  const sound = grown({ ...SOUND, right: 1 }, seeded(1), SIZE).golden;
  const table: [name: string, result: CanaryResult, verdict: string, because: RegExp][] = [
    ["as good as before", trial({}), "pass", /^as good as before: of 40 golden questions/],
    ["better", trial({ errors: 0, right: 1, latencyMs: 200 }), "pass", /^as good/],
    ["half of the golden answers lost", trial({ right: 0.5 }), "fail", /^of 40 golden .* lost/],
    ["half of the requests fail", trial({ errors: 0.5 }), "fail", /of 300 requests failed/],
    ["a third is refused", trial({ refusals: 0.33 }), "fail", /of 300 requests were refused/],
    [
      "five times slower, with nothing to compare",
      trial({ latencyMs: 2_000 }),
      "inconclusive",
      /over 1.5 times the old median .*: a person must say/,
    ],
    [
      "five times slower, while the old release is as fast as ever",
      trial({ latencyMs: 2_000 }, { control: controlled(grown(SOUND, seeded(3), SIZE)) }),
      "fail",
      /over 1.5 times the old median/,
    ],
    [
      "provider slow: five times slower, and so is the old release",
      trial({ latencyMs: 2_000 }, { control: controlled(slow(3)) }),
      "inconclusive",
      /but so it is with the old release at the same time/,
    ],
    [
      "half of the requests fail, and so they do with the old release",
      trial({ errors: 0.5 }, { control: controlled(failing(3)) }),
      "inconclusive",
      /but so it is with the old release/,
    ],
    [
      "half of the requests fail, while the region is out",
      trial({ errors: 0.5 }, { excuse: "eu-west's runtime does not answer" }),
      "inconclusive",
      /requests failed, .*, but eu-west's runtime does not answer$/,
    ],
    [
      "an excuse does not cover wrong answers",
      trial({ right: 0.5 }, { excuse: "eu-west's runtime does not answer" }),
      "fail",
      /golden questions/,
    ],
    ["three times as dear", trial({ cost: 2_400 }), "inconclusive", /cost over 1.5 times/],
    ["three times as long", trial({ length: 240 }), "inconclusive", /longer or shorter/],
    ["a quarter as long", trial({ length: 12 }), "inconclusive", /longer or shorter/],
    [
      "nothing was asked yet",
      trial({}, { new: NO_SAMPLE }),
      "inconclusive",
      /^too little was seen: 0 of 24 golden questions; 0 of 20 requests/,
    ],
    [
      "there is no old release to compare with",
      trial({ errors: 0.5, right: 0.5 }, { old: NO_SAMPLE }),
      "inconclusive",
      /^too little was seen/,
    ],
    [
      "nobody asked the old release, nor the new one",
      trial({}, { old: { ...NO_SAMPLE, golden: sound }, new: { ...NO_SAMPLE, golden: sound } }),
      "pass",
      /golden questions/,
    ],
    ["a standby: golden questions alone", trial({}, goldenOnly), "pass", /golden questions/],
    ["a standby that answers wrongly", trial({ right: 0.4 }, goldenOnly), "fail", /golden/],
    ["a standby without golden questions", trial({}, nothing), "pass", /nothing can be compared/],
  ];
  for (const [name, result, verdict, because] of table) {
    assert.equal(result.verdict, verdict, `${name}: ${result.because}`);
    assert.match(result.because, because, name);
  }
});

test("small samples prove nothing: two failures of three are no verdict", () => {
  const fresh = { ...NO_SAMPLE, requests: 3, errors: 2 };
  const result = analyseCanary(input({ new: fresh, expects: { traffic: true, golden: false } }));
  assert.equal(result.verdict, "inconclusive");
  assert.match(result.because, /too little was seen: 3 of 20 requests/);
});

test("but twelve failures of twelve are one, long before there is enough to pass", () => {
  const fresh = { ...NO_SAMPLE, requests: 12, errors: 12 };
  const result = analyseCanary(input({ new: fresh, expects: { traffic: true, golden: false } }));
  assert.equal(result.verdict, "fail");
});

test("a release that loses every second golden answer is caught with the default number of questions", () => {
  const ids = Array.from({ length: DEFAULT_CANARY.questions }, (_, index) => `q${index}`);
  const golden = (right: (index: number) => boolean) => ({
    ...NO_SAMPLE,
    golden: new Map(ids.map((id, index) => [id, right(index)])),
  });
  const expects = { traffic: false, golden: true };
  const halved = analyseCanary(
    input({ old: golden(() => true), new: golden((index) => index % 2 === 0), expects }),
  );
  assert.equal(halved.verdict, "fail");
  assert.match(halved.because, /^of 24 golden questions asked of both, 12 were lost and 0 won/);
  // One that answers other questions wrongly, but no more of them, is as good as before.
  const swapped = analyseCanary(
    input({
      old: golden((index) => index % 4 !== 0),
      new: golden((index) => index % 4 !== 1),
      expects,
    }),
  );
  assert.equal(swapped.verdict, "pass");
});

test("a release that is as good fails with 1 % probability at most, looked at 20 times", () => {
  const trials = 1_000;
  let failed = 0;
  let odd = 0;
  for (let seed = 0; seed < trials; seed += 1) {
    const random = seeded(seed);
    const old = grown(SOUND, random, { requests: 100, questions: 40 });
    const fresh = new Growing(SOUND, random);
    let verdict = "inconclusive";
    for (let step = 0; step < 20 && verdict !== "fail"; step += 1) {
      for (let index = 0; index < 5; index += 1) fresh.request();
      for (const half of [0, 1]) fresh.question(`q${2 * step + half}`);
      verdict = analyseCanary(input({ old, new: fresh.sample })).verdict;
    }
    if (verdict === "fail") failed += 1;
    if (verdict === "inconclusive") odd += 1;
  }
  assert.ok(failed <= DEFAULT_CANARY.falseAlarms * trials, `${failed} of ${trials} failed`);
  assert.ok(odd < trials / 2, `${odd} of ${trials} stayed inconclusive: nobody would use that`);
});

test("the false alarms that are allowed are a knob: at 50 % some sound releases do fail", () => {
  const thresholds = { ...DEFAULT_CANARY, falseAlarms: 0.5 };
  let failed = 0;
  for (let seed = 0; seed < 100; seed += 1) {
    const random = seeded(seed);
    const worn = { ...SOUND, right: 0.7 };
    const old = grown(worn, random, { requests: 0, questions: 150 });
    const fresh = new Growing(worn, random);
    for (let step = 0; step < 150; step += 1) {
      fresh.question(`q${step}`);
      const expects = { traffic: false, golden: true };
      const found = analyseCanary(input({ old, new: fresh.sample, expects, thresholds }));
      if (found.verdict !== "fail") continue;
      failed += 1;
      break;
    }
  }
  assert.ok(failed > 0, "else the bound of the test before would say nothing");
  assert.ok(failed <= 50);
});

test("a release that loses half of 80 golden answers at random fails in 99 of 100 trials", () => {
  let caught = 0;
  for (let seed = 0; seed < 200; seed += 1) {
    const random = seeded(seed);
    const old = grown(SOUND, random, { requests: 0, questions: 80 });
    const fresh = grown({ ...SOUND, right: 0.475 }, random, { requests: 0, questions: 80 });
    const expects = { traffic: false, golden: true };
    if (analyseCanary(input({ old, new: fresh, expects })).verdict === "fail") caught += 1;
  }
  assert.ok(caught >= 198, `${caught} of 200`);
});

test("one answer of an hour does not make a release slow", () => {
  const fresh = grown(SOUND, seeded(2), SIZE);
  add(fresh.latency, 3_600_000);
  const latency = analyseCanary(input({ new: fresh })).findings.find(
    ({ measure }) => measure === "latency",
  );
  assert.equal(latency?.state, "fine");
});

test("every finding carries its figures, and says from which odds it would be proven", () => {
  const { findings } = trial({ errors: 0.5 });
  assert.deepEqual(
    findings.map(({ measure }) => measure),
    ["golden", "errors", "refusals", "latency", "length", "cost"],
  );
  for (const { odds, proof, state, because } of findings) {
    assert.ok(Number.isFinite(odds) && odds >= 0);
    assert.equal(state === "worse", odds >= proof, because);
    assert.ok(because.length > 0);
  }
});
