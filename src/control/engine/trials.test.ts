import assert from "node:assert/strict";
import { test } from "node:test";
import { INTENT, specWith } from "../../../test/support/core-values.ts";
import { DEFAULT_CANARY } from "../../model/canary.ts";
import type { ReleaseIntent } from "../../model/release-intent.ts";
import { trialsOf } from "./trials.ts";

const spec = specWith({ golden: { questions: "golden.yaml" } });
const MINUTE = 60_000;

function intent(digests: Record<string, string>, good: string[], since = 0): ReleaseIntent {
  const regions = Object.fromEntries(
    Object.entries(digests).map(([region, digest]) => [region, { digest, since }]),
  );
  return { epoch: 2, regions, good, heldBy: null, because: "", since };
}

const found = (value: ReleaseIntent | null, now = MINUTE) =>
  trialsOf(spec, value, [INTENT], { now }).map(({ region, release, old }) => [
    region,
    release,
    old,
  ]);

test("nothing is on trial where the last good release runs", () => {
  assert.deepEqual(found(null), []);
  assert.deepEqual(found(intent({ "eu-west": "one", "us-east": "one" }, ["one"])), []);
});

test("a region that runs another release is, against the last good one", () => {
  const half = intent({ "eu-west": "one", "us-east": "two", "ap-south": "one" }, ["one"]);
  assert.deepEqual(found(half), [["us-east", "two", "one"]]);
});

test("a release that became the good one stays on trial for 15 minutes, against the one before", () => {
  const after = intent({ "eu-west": "two", "us-east": "two", "ap-south": "two" }, ["two", "one"]);
  assert.deepEqual(
    found(after, 14 * MINUTE).map(([, release, old]) => [release, old]),
    [
      ["two", "one"],
      ["two", "one"],
      ["two", "one"],
    ],
  );
  assert.deepEqual(found(after, 16 * MINUTE), []);
});

test("for as long as the spec says, where it says something else", () => {
  const after = intent({ "eu-west": "two", "us-east": "two", "ap-south": "two" }, ["two", "one"]);
  const probation = 2 * MINUTE;
  const release = { folder: "r", trust: [], bake: 0, pause: 0, probation };
  const at = (now: number) => trialsOf({ ...spec, release }, after, [INTENT], { now }).length;
  assert.deepEqual([at(MINUTE), at(3 * MINUTE)], [3, 0]);
});

test("a trial says who serves what there, and is judged as its own release wants", () => {
  const half = intent({ "eu-west": "two", "us-east": "one", "ap-south": "one" }, ["one"]);
  const strict = { ...DEFAULT_CANARY, questions: 60 };
  const [trial] = trialsOf(spec, half, [INTENT], {
    now: 7_000,
    thresholds: (release) => (release === "two" ? strict : undefined),
  });
  assert.deepEqual(trial?.workflows, [{ workflow: "support", serves: true, golden: true }]);
  assert.deepEqual([trial?.thresholds.questions, trial?.sinceMs], [60, 7_000]);
});

test("a clock that was set back makes no trial begin in the future", () => {
  const half = intent({ "eu-west": "two", "us-east": "one", "ap-south": "one" }, ["one"], 9_000);
  assert.equal(trialsOf(spec, half, [], { now: 1_000 })[0]?.sinceMs, 0);
});
