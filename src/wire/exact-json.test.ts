import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { keptNumber, parseExact } from "./exact-json.ts";

const again = (text: string) => JSON.stringify(parseExact(text));

describe("JSON with its numbers kept", () => {
  it("writes what is too large for a number as it came, wherever it stands", () => {
    const numbers = ["9223372036854775807", "-12345678901234567890", "1e400", "-1.5E+999"];
    for (const number of [...numbers, "18446744073709551615", "1e22"]) {
      const text = `{"a":[{"maximum":${number}}],"b":${number},"__proto__":{"c":${number}}}`;
      assert.equal(again(text), text);
    }
  });

  it("leaves all others numbers, beside those as well", () => {
    const { a, b, c } = Object(parseExact('{"a":0.5,"b":9007199254740991,"c":9007199254740993}'));
    assert.deepEqual(
      [a, b, keptNumber(a), keptNumber(c)],
      [0.5, 2 ** 53 - 1, null, "9007199254740993"],
    );
    assert.equal(keptNumber(Object(parseExact('{"a":{"rawJSON":"5"}}')).a), null);
  });

  it("reads as JSON is read", () => {
    fc.assert(
      fc.property(fc.json(), (text) => assert.equal(again(text), JSON.stringify(JSON.parse(text)))),
    );
    assert.throws(() => parseExact('{"a":1e400'), SyntaxError);
  });

  it("takes any depth", () => {
    const deep = `${"[".repeat(100_000)}1e400${"]".repeat(100_000)}`;
    assert.ok(Array.isArray(parseExact(deep)));
  });
});
