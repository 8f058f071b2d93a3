import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson, digestOf, sha256 } from "./canonical.ts";

test("RFC 8785, section 3.2.3: keys in the order of their UTF-16 code units", () => {
  const given = {
    "\u20ac": "Euro Sign",
    "\r": "Carriage Return",
    "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face",
    "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis",
  };
  // A comparison by code point, or by locale, would put the emoji last or the Euro sign first.
  assert.deepEqual(Object.values(JSON.parse(canonicalJson(given))).slice(1), [
    "Carriage Return",
    "Control",
    "Latin Small Letter O With Diaeresis",
    "Euro Sign",
    "Emoji: Grinning Face",
    "Hebrew Letter Dalet With Dagesh",
  ]);
  assert.ok(canonicalJson(given).startsWith('{"\\r":"Carriage Return","1":"One"'));
});

test("RFC 8785, section 3.2.2: literals, numbers and escapes, without white space", () => {
  const given = {
    numbers: JSON.parse("[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001]"),
    string: '\u20ac$\u000f\nA\'B"\\\\"/',
    literals: [null, true, false],
  };
  assert.equal(
    canonicalJson(given),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
      '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

/** Doubles by their bits, from the RFC's appendix B. */
const NUMBERS: readonly (readonly [bits: bigint, text: string])[] = [
  [0x0000000000000000n, "0"],
  [0x8000000000000000n, "0"],
  [0x0000000000000001n, "5e-324"],
  [0x7fefffffffffffffn, "1.7976931348623157e+308"],
  [0x4340000000000000n, "9007199254740992"],
  [0x4430000000000000n, "295147905179352830000"],
  [0x44b52d02c7e14af6n, "1e+23"],
  [0x444b1ae4d6e2ef4fn, "999999999999999900000"],
  [0x444b1ae4d6e2ef50n, "1e+21"],
  [0x3eb0c6f7a0b5ed8dn, "0.000001"],
  [0x41b3de4355555557n, "333333333.33333343"],
  [0xbecbf647612f3696n, "-0.0000033333333333333333"],
];

test("RFC 8785, appendix B: numbers as ECMAScript prints them", () => {
  const view = new DataView(new ArrayBuffer(8));
  for (const [bits, text] of NUMBERS) {
    view.setBigUint64(0, bits);
    assert.equal(canonicalJson(view.getFloat64(0)), text);
  }
});

test("undefined members are left out, and undefined items are null, as JSON does", () => {
  assert.equal(canonicalJson({ b: undefined, a: [undefined, 1] }), '{"a":[null,1]}');
  const holes: unknown[] = [1];
  holes[2] = 3;
  assert.equal(canonicalJson(holes), "[1,null,3]");
});

test("what JSON cannot say is refused and not silently null or empty", () => {
  const unspeakable: readonly (readonly [unknown, RegExp])[] = [
    [Number.NaN, /^NaN has no JSON form/],
    [Number.POSITIVE_INFINITY, /^Infinity has no JSON form/],
    [Number.NEGATIVE_INFINITY, /^-Infinity has no JSON form/],
    [undefined, /^a undefined has/],
    [10n, /^a bigint has/],
    [() => 1, /^a function has/],
    [new Map([["a", 1]]), /^a Map has/],
    [new Set([1]), /^a Set has/],
    [new Date(0), /^a Date has/],
  ];
  for (const [value, message] of unspeakable) {
    assert.throws(() => canonicalJson(value), { name: "TypeError", message });
    // Deep inside a value, and behind an item that is well, it is found as well.
    if (value !== undefined)
      assert.throws(() => canonicalJson({ a: [1, { b: value }] }), TypeError);
  }
});

test("equal values have equal digests, whatever the order of their members", () => {
  const value = fc.jsonValue();
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), (members) => {
      const turned = Object.fromEntries(Object.entries(members).reverse());
      assert.equal(digestOf(turned), digestOf(members));
      assert.deepEqual(
        JSON.parse(canonicalJson(members)),
        JSON.parse(JSON.stringify(members)),
        "and nothing of the value is lost",
      );
    }),
  );
});

test("unequal values have unequal digests", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      fc.pre(!isSame(one, other));
      assert.notEqual(digestOf(one), digestOf(other));
    }),
  );
  assert.notEqual(digestOf([1, 2]), digestOf([2, 1]));
});

test("a digest names its kind and is that of the UTF-8 bytes", () => {
  // FIPS 180-2's example.
  const abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(sha256("abc"), abc);
  assert.equal(sha256(new Uint8Array([0x61, 0x62, 0x63])), abc);
  assert.equal(sha256("é"), sha256(new Uint8Array([0xc3, 0xa9])));
  assert.equal(digestOf({ b: 1, a: 2 }), sha256('{"a":2,"b":1}'));
});

function isSame(one: unknown, other: unknown): boolean {
  try {
    assert.deepEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)));
    return true;
  } catch {
    return false;
  }
}
