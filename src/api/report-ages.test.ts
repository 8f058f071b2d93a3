import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../sim/clock.ts";
import { reportAgesOf } from "./report-ages.ts";

test("a report is as old as the time since this reader first saw it", async () => {
  const clock = new SimClock();
  const ages = reportAgesOf(clock);
  assert.equal(ages("agent:eu-west", 1), 0);
  await clock.advance(3_000);
  assert.equal(ages("agent:eu-west", 1), 3_000);
  assert.equal(ages("agent:us-east", 1), 0, "another observer counts by itself");
  assert.equal(ages("agent:eu-west", 2), 0, "a new report is new");
  await clock.advance(500);
  assert.deepEqual([ages("agent:eu-west", 2), ages("agent:us-east", 1)], [500, 500]);
});

test("a number that goes back, as after a restart, is a new report", async () => {
  const clock = new SimClock();
  const ages = reportAgesOf(clock);
  ages("agent:eu-west", 900);
  await clock.advance(9_000);
  assert.equal(ages("agent:eu-west", 1), 0);
});

test("a wall clock that jumps makes no report older", async () => {
  const clock = new SimClock();
  const ages = reportAgesOf(clock);
  ages("agent:eu-west", 1);
  clock.jumpWall(86_400_000);
  assert.equal(ages("agent:eu-west", 1), 0);
});
