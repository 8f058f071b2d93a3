import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Layout, layoutTimeline, overlaps, truncate } from "./layout.ts";
import { sampleReport } from "./sample.fixture.ts";
import { type PlacedEvent, type Span, storyOf } from "./story.ts";

const event = (seconds: number, lane: string, kind: string, text: string): PlacedEvent => ({
  seconds,
  event: { at: 0, offsetSeconds: seconds, lane, kind, text },
});

function assertReadable(layout: Layout): void {
  for (const [at, label] of layout.labels.entries()) {
    assert.ok(label.x >= 0 && label.x + label.width <= layout.width, `${label.text} is inside`);
    assert.ok(label.y + label.height <= layout.axisY, `${label.text} is above the axis`);
    for (const other of layout.labels.slice(at + 1)) {
      assert.ok(!overlaps(label, other), `"${label.text}" lies over "${other.text}"`);
    }
  }
  for (const { x } of layout.marks) assert.ok(x >= layout.plot.from && x <= layout.plot.to);
}

test("no two labels of a real drill overlap, whole and close", () => {
  const story = storyOf(sampleReport());
  for (const window of [story.whole, { from: -0.5, to: 7.5 }]) {
    const layout = layoutTimeline(story.events, window);
    assertReadable(layout);
    assert.ok(layout.labels.some(({ text }) => text === "kill -9 of every process of eu-west"));
  }
});

test("the lines of a real drill cross no label", () => {
  const story = storyOf(sampleReport());
  const { labels } = layoutTimeline(story.events, story.whole);
  for (const label of labels) {
    for (const other of labels) {
      if (other !== label) assert.ok(!overlaps(label.leader, other), `${label.text}/${other.text}`);
    }
  }
});

test("labels never overlap, however many and however close", () => {
  const one = fc.record({
    seconds: fc.oneof(fc.double({ min: 0, max: 30, noNaN: true }), fc.constantFrom(0, 15, 30)),
    lane: fc.constantFrom("callers", "eu-west", "us-east", "controller"),
    kind: fc.constantFrom("fault", "note", "open", "return", "step"),
    text: fc.oneof(fc.string({ maxLength: 80 }), fc.string({ unit: "grapheme", maxLength: 80 })),
  });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 60 }), (events) => {
      const placed = events.map(({ seconds, lane, kind, text }) =>
        event(seconds, lane, kind, text),
      );
      assertReadable(layoutTimeline(placed, { from: 0, to: 30 }));
    }),
    { numRuns: 100 },
  );
});

test("what broke keeps its label in a crowd", () => {
  const crowd = Array.from({ length: 120 }, (_, at) =>
    event(10 + at / 1_000, "eu-west", "note", `note number ${at}`),
  );
  const layout = layoutTimeline([event(9.9, "eu-west", "fault", "power cut"), ...crowd], {
    from: 0,
    to: 30,
  });
  assertReadable(layout);
  assert.ok(layout.labels.some(({ text }) => text === "power cut"));
  assert.ok(layout.labels.length < 60, "some labels are left to the list");
  assert.equal(layout.marks.length, 121, "every event keeps its mark");
});

test("workflows that reach one point together share a label that counts them", () => {
  const texts = ["a", "b", "c"].map((id) => `plan ${id}: failover of w${id} from x to y: because`);
  const events = texts.map((text, at) => event(5 + at / 10, "controller", "plan", text));
  const { labels } = layoutTimeline(events, { from: 0, to: 30 });
  assert.deepEqual(
    labels.map(({ text, title }) => ({ text, title })),
    [{ text: "failover planned ×3", title: texts.join("\n") }],
  );
});

test("callers stand first, the controller last, regions between them as they appear", () => {
  const lanes = ["controller", "us-east", "callers", "eu-west"];
  const events = lanes.map((lane, at) => event(at, lane, "note", lane));
  const layout = layoutTimeline(events, { from: 0, to: 5 });
  assert.deepEqual(
    layout.lanes.map(({ name }) => name),
    ["callers", "us-east", "eu-west", "controller"],
  );
  for (const [at, lane] of layout.lanes.entries()) {
    assert.equal(lane.y + lane.height, layout.lanes[at + 1]?.y ?? layout.axisY);
  }
});

test("the axis has whole steps inside the window, for any length of it", () => {
  const window = fc
    .tuple(
      fc.double({ min: -1e4, max: 1e4, noNaN: true }),
      fc.double({ min: 0.05, max: 1e5, noNaN: true }),
    )
    .map(([from, length]): Span => ({ from, to: from + length }));
  fc.assert(
    fc.property(window, ({ from, to }) => {
      const { ticks } = layoutTimeline([], { from, to });
      assert.ok(ticks.length >= 1 && ticks.length <= 13, `${ticks.length} ticks`);
      for (const { seconds } of ticks) {
        assert.ok(seconds >= from - 1e-6 && seconds <= to + 1e-6, `${seconds}`);
      }
    }),
  );
});

test("a cut text says that it was cut", () => {
  assert.equal(truncate("short", 10), "short");
  assert.equal(truncate("a rather long sentence", 10), "a rather…");
});
