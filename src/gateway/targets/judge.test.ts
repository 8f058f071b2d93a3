import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { completion } from "../../../test/support/upstream.ts";
import type { Exchanged } from "./exchange.ts";
import { judgeChat } from "./judge.ts";

function whole(status: number, body: unknown, headers: Record<string, string> = {}): Exchanged {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { kind: "whole", status, headers, body: Buffer.from(text) };
}
const error = (fields: Record<string, unknown>) => ({ error: { message: "x", ...fields } });
const judge = (exchanged: Exchanged) => judgeChat(exchanged, false, 0);

describe("what an exchange means", () => {
  const refused: readonly (readonly [string, Exchanged, string, number])[] = [
    [
      "OpenAI's code for a long context",
      whole(400, error({ code: "context_length_exceeded" })),
      "context",
      400,
    ],
    [
      "llama.cpp's type for it",
      whole(400, error({ type: "exceed_context_size_error" })),
      "context",
      400,
    ],
    [
      "vLLM's words for it",
      whole(400, error({ message: "This model's maximum context length is 8 tokens" })),
      "context",
      400,
    ],
    [
      "the same as a 500: told as what it is",
      whole(500, error({ code: "context_length_exceeded" })),
      "context",
      400,
    ],
    ["a refused content", whole(400, error({ code: "content_policy_violation" })), "policy", 400],
    ["Azure's filter", whole(400, error({ code: "content_filter" })), "policy", 400],
    [
      "Azure's inner code",
      whole(400, error({ innererror: { code: "ResponsibleAIPolicyViolation" } })),
      "policy",
      400,
    ],
    [
      "a refused content with 403, which is no refusal of us",
      whole(403, error({ code: "content_filter" })),
      "policy",
      403,
    ],
    ["a parameter that is wrong", whole(400, error({ code: "invalid_value" })), "request", 400],
    ["a status that nobody else knows", whole(422, error({})), "request", 422],
  ];
  for (const [name, exchanged, why, status] of refused) {
    it(`the request is refused: ${name}`, () => {
      const verdict = judge(exchanged);
      assert.ok(verdict.kind === "refused");
      assert.deepEqual([verdict.why, verdict.status], [why, status]);
    });
  }

  const message = { role: "assistant", content: "x" };
  const finish = (finish_reason: unknown) =>
    whole(200, { choices: [{ index: 0, message, finish_reason }] });
  const failed: readonly (readonly [string, Exchanged, string])[] = [
    ["our key is refused", whole(401, error({})), "denied"],
    ["the model is missing, told as 400", whole(400, error({ code: "model_not_found" })), "denied"],
    ["no money, told as 429", whole(429, error({ code: "insufficient_quota" })), "denied"],
    ["no room", whole(429, ""), "busy"],
    ["a failure of its own", whole(503, error({})), "error"],
    ["a request that it took too long to read", whole(408, ""), "error"],
    ["a proxy's page", whole(400, "<html>"), "nonsense"],
    ["an error with 200", whole(200, error({})), "error"],
    ["a redirect", whole(302, ""), "nonsense"],
    ["no choices", whole(200, { choices: [] }), "nonsense"],
    [
      "a choice without a message",
      whole(200, { choices: [{ finish_reason: "stop" }] }),
      "nonsense",
    ],
    ["a choice without an end", finish(null), "nonsense"],
    ["a choice that ended in an error", finish("error"), "nonsense"],
    ["a list", whole(200, []), "nonsense"],
  ];
  for (const [name, exchanged, kind] of failed) {
    it(`this target failed: ${name}`, () => {
      const verdict = judge(exchanged);
      assert.ok(verdict.kind === "failed");
      assert.equal(verdict.fault.kind, kind);
    });
  }

  it("a whole completion is the answer, with its usage", () => {
    const verdict = judge(whole(200, completion("yes")));
    assert.ok(verdict.kind === "answer");
    assert.deepEqual(verdict.usage, { promptTokens: 11, completionTokens: 7 });
  });

  it("keeps the time that a busy target names", () => {
    const verdict = judge(whole(429, "", { "retry-after": "3" }));
    assert.ok(verdict.kind === "failed");
    assert.equal(verdict.fault.retryAfterMs, 3_000);
  });
});
