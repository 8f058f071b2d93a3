import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { durationSchema, formatDuration, parseDuration, parseSize, sizeSchema } from "./units.ts";

test("durations are read into milliseconds", () => {
  const read = Object.entries({
    "250ms": 250,
    "0ms": 0,
    "10s": 10_000,
    "1.5s": 1_500,
    "5m": 300_000,
    "1h": 3_600_000,
    "1d": 86_400_000,
  });
  for (const [text, ms] of read) assert.equal(parseDuration(text), ms, text);
});

test("sizes are read into bytes, decimal and binary units apart", () => {
  const read = Object.entries({
    "512B": 512,
    "1KB": 1_000,
    "1KiB": 1_024,
    "1.5KiB": 1_536,
    "10MiB": 10_485_760,
    "1MB": 1_000_000,
    "1GB": 1_000_000_000,
    "1GiB": 1_073_741_824,
  });
  for (const [text, bytes] of read) assert.equal(parseSize(text), bytes, text);
});

test("what is no number with a unit is none, and never half read", () => {
  const nothing = [
    "",
    "10",
    "s",
    "10 s",
    "10s ",
    " 10s",
    "-1s",
    "1e3s",
    ".5s",
    "10S",
    "1w",
    "10s5s",
  ];
  for (const text of nothing) assert.equal(parseDuration(text), undefined, text);
  for (const text of ["", "10", "10mib", "10 MiB", "-1B", "1TB", "10M"])
    assert.equal(parseSize(text), undefined, text);
});

test("a slip in the spec is answered with what was most likely meant", () => {
  const advice = (schema: typeof durationSchema, input: unknown) =>
    schema.safeParse(input).error?.issues[0]?.message;
  assert.equal(
    advice(durationSchema, 10),
    "has no unit; write 10s, or another of 250ms, 10s, 5m, 1h, 1d",
  );
  assert.equal(advice(durationSchema, "10"), advice(durationSchema, 10));
  assert.equal(advice(durationSchema, -5), "is below zero; write 5s");
  assert.equal(
    advice(durationSchema, "soon"),
    "is no number with a unit; write one of 250ms, 10s, 5m, 1h, 1d",
  );
  assert.match(advice(sizeSchema, 10) ?? "", /write 10MiB, or another/);
  assert.deepEqual([durationSchema.parse("2s"), sizeSchema.parse("1KiB")], [2_000, 1_024]);
});

test("durations are shown in the unit that people would use", () => {
  const shown: readonly (readonly [number, string])[] = [
    [0, "0 ms"],
    [849.6, "850 ms"],
    [999.4, "999 ms"],
    [999.6, "1.0 s"],
    [4_240, "4.2 s"],
    [59_949, "59.9 s"],
    [59_970, "1 min"],
    [60_000, "1 min"],
    [119_600, "2 min"],
    [185_000, "3 min 5 s"],
    [3_600_000, "60 min"],
  ];
  for (const [ms, text] of shown) assert.equal(formatDuration(ms), text);
});

test("no duration is shown as 60 seconds, or as 1000 ms", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 10_000_000, noNaN: true }), (ms) => {
      assert.doesNotMatch(formatDuration(ms), /\b(60(\.\d)? s|1000 ms|0 min)\b/);
    }),
  );
});
