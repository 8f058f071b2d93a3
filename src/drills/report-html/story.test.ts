import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleReport } from "./sample.fixture.ts";
import { storyOf } from "./story.ts";

const near = (actual: number | undefined, expected: number): void =>
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) < 1e-6, `${actual} is ${expected}`);

test("a fault is the zero, and the recovery begins there", () => {
  const story = storyOf(sampleReport());
  assert.equal(story.zero, "fault");
  assert.deepEqual(story.recovery, { from: 0, to: 6.2 });
  near(story.whole.from, -3);
  near(story.whole.to, 23);
});

test("the phases follow each other and end with the recovery", () => {
  const { phases } = storyOf(sampleReport());
  assert.deepEqual(
    phases.map(({ phase }) => phase),
    ["detect", "decide", "verify", "open", "propagate"],
  );
  for (const [at, { to }] of phases.entries()) near(phases[at + 1]?.from ?? 6.2, to);
});

test("the broken region is away until something is noted of its return", () => {
  const story = storyOf(sampleReport());
  assert.equal(story.outage?.lane, "eu-west");
  near(story.outage?.to, 9.7);
  const lost = sampleReport().timeline.filter(({ kind }) => kind !== "return");
  const unreturned = storyOf(sampleReport({ timeline: lost }));
  assert.equal(unreturned.outage?.to, unreturned.whole.to);
});

test("the failback ends with the last plan that was completed", () => {
  const story = storyOf(sampleReport());
  near(story.failback?.to, 18.9);
  near(story.failback?.from, 18.9 - 2.71);
  const failback = { completed: false, to: null, tookSeconds: null, because: "" };
  assert.equal(storyOf(sampleReport({ failback })).failback, null);
});

test("without a fault the report's start is the zero and nothing is shaded", () => {
  const timeline = sampleReport().timeline.filter(({ kind }) => kind !== "fault");
  const story = storyOf(sampleReport({ timeline }));
  assert.equal(story.zero, "start");
  assert.equal(story.recovery, null);
  assert.equal(story.outage, null);
  assert.deepEqual(story.phases, []);
  assert.equal(story.events[0]?.seconds, 0.4);
});

test("an empty timeline and one moment still have a scale", () => {
  const empty = storyOf(sampleReport({ timeline: [] }));
  assert.deepEqual(empty.whole, { from: 0, to: 1 });
  const [event] = sampleReport().timeline;
  assert.ok(event);
  const one = storyOf(sampleReport({ timeline: [{ ...event, offsetSeconds: 0 }] }));
  assert.deepEqual(one.whole, { from: 0, to: 1 });
});
