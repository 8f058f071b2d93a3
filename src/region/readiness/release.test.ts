import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../sim/clock.ts";
import { SIM_RELEASE } from "../../sim/estate.ts";
import { remarkOf } from "./release.ts";

const END = "2026-11-23T12:00:00Z";

function remarkAt(now: string, expiryOf?: () => string | null): string | null {
  const clock = new SimClock(Date.parse(now));
  const release = { ...SIM_RELEASE, signatures: [] };
  return remarkOf({ release, options: expiryOf === undefined ? { clock } : { clock, expiryOf } });
}

test("a release that runs beyond its signature's time is told of, from that moment on", () => {
  assert.equal(
    remarkAt("2026-11-23T11:59:59Z", () => END),
    null,
  );
  assert.match(remarkAt(END, () => END) ?? "", /^EXPIRED at 2026-11-23T12:00:00Z: sign it again/);
  assert.equal(
    remarkAt(END, () => null),
    null,
    "signed for ever",
  );
  assert.equal(remarkAt(END), null, "nobody asks here");
});

test("a trust root that cannot be read is told of, and closes no region", () => {
  const unread = (): never => {
    throw new Error("the trusted key ours.pub cannot be found");
  };
  assert.match(remarkAt(END, unread) ?? "", /nobody can tell until when .* ours\.pub cannot be/);
  const options = { clock: new SimClock(), expiryOf: unread };
  assert.equal(remarkOf({ release: null, options }), null);
});
