import assert from "node:assert/strict";
import { test } from "node:test";
import { headlineOf } from "./headline.ts";

/** Sentences as the controller writes them, and what the picture calls them. */
const SAID: readonly [kind: string, text: string, label: string | null, tone?: string][] = [
  ["verdict", "eu-west is failed: 3 of 3 observers got no answer", "eu-west is failed", "bad"],
  ["verdict", "eu-west is healthy: its gateway answers", "eu-west is healthy", "good"],
  ["verdict", "eu-west is unknown: nobody looked", "eu-west is unknown", "plain"],
  ["decision", "failover for search: eu-west is failed", null],
  [
    "plan",
    "plan 7f: failover of search from a to b under epoch 2: why",
    "failover planned",
    "plain",
  ],
  ["plan", "plan 7f is completed: search is served by b", "completed in b", "good"],
  ["plan", "plan 7f failed and was put back: because", "plan failed", "bad"],
  ["step", "b is ready, 8 of 8 checks passed: model (m)", "b proven ready", "good"],
  [
    "step",
    "a canary through b, c was answered by b with the plan's release",
    "traffic proven in b",
    "good",
  ],
  ["step", "open-traffic failed: the store is away", "open-traffic failed", "bad"],
  ["step", "freeze-index-docs is put back: thawed", "freeze-index-docs put back", "bad"],
  ["step", "None: it only asks.", null],
  ["snapshot", "snapshot 5: search is served by b: a is failed", "b opened", "plain"],
  ["snapshot", "snapshot 6: the spec, the release or an ownership changed", null],
  ["leadership", "c1 leads in term 4", "c1 leads", "plain"],
  ["request", "ops's failback of search is refused: not ready", "failback refused", "bad"],
  ["announcement", "told on status-page: moved", null],
  ["fault", "kill -9 of every process", "kill -9 of every process", "fault"],
  ["open", "b answers", "b answers", "good"],
  ["power", "a word of a reporter to come", "a word of a reporter to come", "plain"],
];

test("the record's sentences have their short names", () => {
  for (const [kind, text, label, tone] of SAID) {
    const found = headlineOf({ at: 0, offsetSeconds: 0, lane: "controller", kind, text });
    assert.deepEqual(found, label === null ? null : { label, tone }, text);
  }
});
