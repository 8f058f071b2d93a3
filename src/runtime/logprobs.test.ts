import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { logprobsOf, QUANTIZATIONS, type Weights } from "./logprobs.ts";

const WEIGHTS: Weights = { modelDigest: "sha256:0a1b2c3d", quantization: "none", hardware: "" };
const ASKED = [{ role: "user", content: "Name three things that float." }] as const;
const TOKENS = ["Boats", ",", " corks", " and", " the", " moon"];

const weights = fc.record({
  modelDigest: fc.constantFrom("sha256:0a1b2c3d", "sha256:ffff0000"),
  quantization: fc.constantFrom(...Object.keys(QUANTIZATIONS)),
  hardware: fc.constantFrom("", "another card"),
});
const tokens = fc.array(fc.constantFrom(" the", "The", " harbour", ".", " of"), { maxLength: 8 });

test("the likeliest token is the one that is said, and no position holds more than certainty", () => {
  fc.assert(
    fc.property(weights, tokens, (given, said) => {
      const told = logprobsOf(given, ASKED, said, 20);
      assert.deepEqual(
        told.map(({ token }) => token),
        said,
      );
      for (const { token, logprob, top_logprobs } of told) {
        assert.equal(top_logprobs[0]?.token, token);
        assert.equal(top_logprobs[0]?.logprob, logprob);
        const sum = top_logprobs.reduce((total, one) => total + Math.exp(one.logprob), 0);
        assert.ok(sum <= 1 + 1e-4, `${sum}`);
        const order = top_logprobs.map((one) => one.logprob);
        assert.deepEqual(
          order.toSorted((a, b) => b - a),
          order,
        );
        assert.equal(new Set(top_logprobs.map((one) => one.token)).size, top_logprobs.length);
      }
    }),
  );
});

test("the same weights say the same; asked for none, there are no alternatives", () => {
  assert.deepEqual(logprobsOf(WEIGHTS, ASKED, TOKENS, 5), logprobsOf(WEIGHTS, ASKED, TOKENS, 5));
  assert.deepEqual(
    logprobsOf(WEIGHTS, ASKED, TOKENS, 0).map(({ top_logprobs }) => top_logprobs),
    TOKENS.map(() => []),
  );
});

test("fewer bits move the numbers further; another machine hardly does", () => {
  const distance = (other: Partial<Weights>): number => {
    const told = (given: Weights) => logprobsOf(given, ASKED, TOKENS, 20);
    const there = told({ ...WEIGHTS, ...other });
    const gaps = told(WEIGHTS).flatMap(({ top_logprobs }, at) =>
      top_logprobs.flatMap(({ token, logprob }) => {
        const same = there[at]?.top_logprobs.find((one) => one.token === token);
        return same === undefined ? [] : [Math.abs(logprob - same.logprob)];
      }),
    );
    return gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  };
  const [hardware, fp8, int8, int4] = [
    distance({ hardware: "another card" }),
    distance({ quantization: "fp8" }),
    distance({ quantization: "int8" }),
    distance({ quantization: "int4" }),
  ];
  assert.equal(distance({}), 0);
  assert.ok(0 < hardware && hardware < 0.01, `${hardware}`);
  assert.ok(0.03 < fp8 && fp8 < int8 && int8 < int4, `${fp8} ${int8} ${int4}`);
});
