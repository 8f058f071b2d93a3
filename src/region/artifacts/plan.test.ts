import assert from "node:assert/strict";
import { test } from "node:test";
import { array, constantFrom, assert as holds, integer, oneof, property, record } from "fast-check";
import { type Held, planCopy } from "./plan.ts";
import { RateMeter, remainingMs } from "./progress.ts";

const mediaType = "application/octet-stream";
const digestOf = (n: number): string => `sha256:${String(n).padStart(64, "0")}`;

test("what is to be copied and what is there are everything, whatever the target has", () => {
  const blob = record({
    size: integer({ min: 0, max: 1_000 }),
    held: oneof(constantFrom<Held>("whole"), integer({ min: 0, max: 1_200 })),
  });
  holds(
    property(array(blob, { maxLength: 20 }), (blobs) => {
      const held = new Map(blobs.map((one, at) => [digestOf(at), one.held]));
      const descriptors = blobs.map(({ size }, at) => ({ mediaType, size, digest: digestOf(at) }));
      const plan = planCopy({ blobs: descriptors, manifests: [], held });
      const { total, present, cached, missing } = plan.bytes;
      assert.equal(total, present + cached + missing);
      assert.equal(
        total,
        blobs.reduce((sum, { size }) => sum + size, 0),
      );
      for (const { descriptor, from } of plan.blobs) {
        assert.notEqual(held.get(descriptor.digest), "whole");
        assert.ok(from >= 0 && from <= descriptor.size);
      }
      const whole = blobs.filter((one) => one.held === "whole").length;
      assert.equal(plan.blobs.length, blobs.length - whole);
    }),
  );
});

test("the blob with the most work comes first, and manifests keep their order", () => {
  const blobs = [3, 9, 8].map((size) => ({ mediaType, size, digest: digestOf(size) }));
  const held = new Map<string, Held>([
    [digestOf(9), 7],
    [digestOf(50), "whole"],
  ]);
  const plan = planCopy({ blobs, manifests: [digestOf(52), digestOf(50), digestOf(51)], held });
  assert.deepEqual(
    plan.blobs.map(({ descriptor, from }) => [descriptor.size, from]),
    [
      [8, 0],
      [3, 0],
      [9, 7],
    ],
  );
  assert.deepEqual(plan.manifests, [digestOf(52), digestOf(51)]);
});

test("the rate is that of the last seconds, and the rest follows from it", () => {
  let now = 0;
  const meter = new RateMeter(() => now, 10_000);
  assert.equal(meter.rate, null);
  for (; now < 60_000; now += 100) meter.add(now < 40_000 ? 1_000 : 100);
  assert.ok(meter.rate !== null && Math.abs(meter.rate - 1_000) < 50, `${meter.rate}`);
  assert.equal(remainingMs(10_000, 1_000), 10_000);
  assert.equal(remainingMs(0, null), 0);
  assert.equal(remainingMs(1, null), null);
});

test("a copy that stands still gets slower and slower, and not infinitely fast", () => {
  let now = 0;
  const meter = new RateMeter(() => now, 1_000);
  meter.add(1_000_000);
  now = 1_000;
  const soon = meter.rate;
  now = 100_000;
  assert.ok(soon !== null && meter.rate !== null && meter.rate < soon / 50);
});
