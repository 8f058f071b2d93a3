import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "./bytes.ts";

describe("a binary message", () => {
  it("gives back what was written, and nothing is left over", () => {
    const part = fc.record({
      number: fc.maxSafeNat(),
      text: fc.string({ unit: "grapheme" }),
      bytes: fc.uint8Array({ maxLength: 400 }),
    });
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const writer = new ByteWriter();
        for (const { number, text, bytes } of parts) {
          writer.number(number).text(text).bytes(bytes).hex("00ff10");
        }
        const reader = new ByteReader(writer.done());
        for (const { number, text, bytes } of parts) {
          assert.equal(reader.number(), number);
          assert.equal(reader.text(), text);
          assert.deepEqual(reader.bytes(), bytes);
          assert.equal(reader.hex(6), "00ff10");
        }
        assert.ok(reader.atEnd);
      }),
    );
  });

  it("that was cut anywhere is refused", () => {
    const whole = new ByteWriter().number(70_000).text("abc").bytes(new Uint8Array(9)).done();
    for (let length = 0; length < whole.length; length += 1) {
      const reader = new ByteReader(whole.subarray(0, length));
      assert.throws(() => [reader.number(), reader.text(), reader.bytes()], RangeError);
    }
  });

  it("whose number never ends is refused", () => {
    assert.throws(() => new ByteReader(new Uint8Array(20).fill(0xff)).number(), RangeError);
  });
});
