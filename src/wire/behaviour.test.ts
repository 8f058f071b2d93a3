import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import OpenAI from "openai";
import { type RunningRuntime, startRuntime } from "../runtime/server.ts";
import type { RuntimeOptions } from "../runtime/state.ts";
import {
  BEHAVIOUR_QUESTIONS,
  BEHAVIOUR_TOKENS,
  type BehaviourToken,
  behaviourRequest,
  compareBehaviour,
  readBehaviour,
  recordBehaviour,
} from "./behaviour.ts";

const running: RunningRuntime[] = [];
after(() => Promise.all(running.map(({ close }) => close())));

type Run = Map<string, readonly BehaviourToken[]>;

/** What a server with these weights answers, asked by the official client. */
async function runOf(weights: Partial<RuntimeOptions> = {}): Promise<Run> {
  const runtime = await startRuntime({
    model: "ref-1",
    modelDigest: "sha256:0a1b2c3d",
    embeddingModel: "ref-embed",
    embeddingSalt: "1",
    ...weights,
  });
  running.push(runtime);
  const client = new OpenAI({ baseURL: `${runtime.url}/v1`, apiKey: "none", maxRetries: 0 });
  const answers = await Promise.all(
    BEHAVIOUR_QUESTIONS.map(async (ask) => {
      const { messages, ...rest } = behaviourRequest("ref-1", ask);
      const answer = await client.chat.completions.create({
        ...rest,
        messages: [{ role: "user", content: String(messages[0]?.content) }],
      });
      return [ask, readBehaviour(answer)] as const;
    }),
  );
  return new Map(answers);
}

const recorded = async () => {
  const found = recordBehaviour([await runOf(), await runOf({ hardware: "the card beside it" })]);
  assert.ok(found);
  return found;
};

test("the same weights on the same machine differ by nothing", async () => {
  const found = compareBehaviour(await recorded(), await runOf());
  assert.equal(found.distance, 0);
  assert.ok(found.compared >= BEHAVIOUR_QUESTIONS.length * BEHAVIOUR_TOKENS * 5 - 10);
  assert.deepEqual([found.apart, found.silent], [[], 0]);
});

test("the same weights on another machine are within the tolerance", async () => {
  const behaviour = await recorded();
  for (const hardware of ["another card", "a third", "older drivers"]) {
    const { distance, apart } = compareBehaviour(behaviour, await runOf({ hardware }));
    assert.ok(distance !== null && 0 < distance && distance <= behaviour.tolerance, hardware);
    assert.deepEqual(apart, []);
  }
});

test("the right name over other weights, or over fewer bits, is outside it", async () => {
  const behaviour = await recorded();
  const wrong = [
    { modelDigest: "sha256:ffff0000" },
    { quantization: "int4" },
    { quantization: "int8" },
    { quantization: "fp8" },
  ];
  for (const weights of wrong) {
    const { distance } = compareBehaviour(behaviour, await runOf(weights));
    assert.ok(distance !== null && distance > behaviour.tolerance, JSON.stringify(weights));
  }
});

const token = (said: string, top: Record<string, number>): BehaviourToken => ({ token: said, top });
const oneAnswer = (...tokens: BehaviourToken[]) => ({
  tolerance: 0.05,
  answers: [{ ask: "?", tokens }],
});

test("where two tokens were nearly equal, the other one is no other model", () => {
  const close = oneAnswer(token("a", { a: -0.69, b: -0.7 }), token("c", { c: -0.1 }));
  const other = new Map([["?", [token("b", { a: -0.7, b: -0.69 }), token("z", { z: -0.1 })]]]);
  const found = compareBehaviour(close, other);
  assert.deepEqual(found.apart, []);
  assert.ok(Number(found.distance) < 0.02, "what follows another token is not compared");
});

test("where one token was sure, the other one is", () => {
  const sure = oneAnswer(token("a", { a: -0.01, b: -5 }));
  const other = new Map([["?", [token("b", { a: -5, b: -0.01 })]]]);
  assert.deepEqual(compareBehaviour(sure, other).apart, [{ ask: "?", said: "b", recorded: "a" }]);
});

test("a server without log-probabilities is told from one that differs", () => {
  const body = { choices: [{ index: 0, message: { content: "a" }, logprobs: null }] };
  assert.deepEqual(readBehaviour(body), []);
  const found = compareBehaviour(oneAnswer(token("a", { a: -0.1 })), new Map([["?", []]]));
  assert.deepEqual(found, { distance: null, compared: 0, apart: [], silent: 1 });
  assert.equal(recordBehaviour([new Map([["?", []]])]), null);
});

test("noise within the tolerance is never called another model, and a shift beyond it always is", async () => {
  const behaviour = await recorded();
  const noise = fc.double({ min: -1, max: 1, noNaN: true });
  const shifted = (by: () => number): Run =>
    new Map(
      behaviour.answers.map(({ ask, tokens }) => [
        ask,
        tokens.map(({ token: said, top }) =>
          token(said, Object.fromEntries(Object.entries(top).map(([word, p]) => [word, p + by()]))),
        ),
      ]),
    );
  fc.assert(
    fc.property(fc.array(noise, { minLength: 50, maxLength: 50 }), (parts) => {
      let at = 0;
      const next = (): number => parts[at++ % parts.length] ?? 0;
      const near = compareBehaviour(
        behaviour,
        shifted(() => next() * behaviour.tolerance),
      );
      assert.ok(Number(near.distance) <= behaviour.tolerance);
      const far = compareBehaviour(
        behaviour,
        shifted(() => (next() < 0 ? -1 : 1) * 1.5 * behaviour.tolerance),
      );
      assert.ok(Number(far.distance) > behaviour.tolerance);
    }),
  );
});
