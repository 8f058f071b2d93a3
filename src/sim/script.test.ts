import assert from "node:assert/strict";
import { test } from "node:test";
import { parseScript, type Stage } from "./script.ts";

test("a script is read line by line, with times in ms", () => {
  const done: string[] = [];
  const stage: Stage = {
    kill: (name) => done.push(`kill ${name}`),
    stop: (name) => done.push(`stop ${name}`),
    resume: (name) => done.push(`resume ${name}`),
    loseModels: (name) => done.push(`lose ${name}`),
    restoreModels: (name) => done.push(`restore ${name}`),
    storeAnswers: (reachable) => done.push(`store ${reachable}`),
    network: {
      cut: (from, to) => done.push(`cut ${from} ${to}`),
      mend: (from, to) => done.push(`mend ${from} ${to}`),
    },
    clock: { jumpWall: (ms) => done.push(`jump ${ms}`) },
  };
  const lines = parseScript(`
    at 10 s kill eu-west
    at 1.5 s cut c1 eu-west
    at 500 ms store-away
    at 1 m jump-wall -1h
    at 2 s lose-models us-east
  `);
  for (const { act } of lines) act(stage);
  assert.deepEqual(
    lines.map(({ atMs }) => atMs),
    [10_000, 1_500, 500, 60_000, 2_000],
  );
  assert.deepEqual(done, [
    ...["kill eu-west", "cut c1 eu-west", "store false", "jump -3600000"],
    "lose us-east",
  ]);
});

test("a line that says nothing known is refused with its text", () => {
  assert.throws(
    () => parseScript("at 3 s explode eu-west"),
    /cannot read "at 3 s explode eu-west"/,
  );
  assert.throws(() => parseScript("kill eu-west"), /cannot read/);
});
