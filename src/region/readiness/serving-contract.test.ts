import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type RuntimeFacts, servingContractSchema } from "../../model/serving.ts";
import { startRuntime } from "../../runtime/server.ts";
import { factsOf, judgeContract } from "./serving-contract.ts";

const CONTRACT = servingContractSchema.parse({
  engine: { name: "vllm", versions: ">=0.8" },
  precision: "bfloat16",
});
const facts = (given: Partial<RuntimeFacts> = {}): RuntimeFacts => ({
  engine: { name: "vllm", version: "0.9.1" },
  tokenizer: null,
  chatTemplate: null,
  precision: "bfloat16",
  contextTokens: null,
  gpu: null,
  tensorParallel: null,
  ...given,
});

describe("the serving-contract check", () => {
  const cases: readonly [string, RuntimeFacts | null, boolean, RegExp][] = [
    [
      "a runtime that is as the release says",
      facts(),
      true,
      /^met: engine, precision; not known: nothing$/,
    ],
    [
      "an older engine",
      facts({ engine: { name: "vllm", version: "0.7" } }),
      false,
      /^local: engine is vllm 0\.7, .*vllm >=0\.8$/,
    ],
    [
      "another precision",
      facts({ precision: "fp8" }),
      false,
      /^local: precision is fp8, .*bfloat16$/,
    ],
    ["a runtime that does not say", facts({ precision: null }), true, /not known: precision$/],
    ["a runtime that is away", null, true, /no target answers/],
  ];
  for (const [what, found, pass, evidence] of cases) {
    it(`${pass ? "passes" : "fails"} with ${what}`, () => {
      const judged = judgeContract(CONTRACT, [{ name: "local", facts: found }]);
      assert.equal(judged.pass, pass, judged.evidence);
      assert.match(judged.evidence, evidence);
    });
  }

  it("fails when one of several targets is another", () => {
    const targets = [
      { name: "one", facts: facts() },
      { name: "two", facts: facts({ precision: "fp8" }) },
    ];
    assert.match(judgeContract(CONTRACT, targets).evidence, /^two: precision is fp8/);
  });
});

describe("what a runtime says of itself", () => {
  const from =
    (answers: Readonly<Record<string, unknown>>) =>
    async (path: string): Promise<unknown> =>
      Object.hasOwn(answers, path) ? answers[path] : assert.fail(`404 ${path}`);

  it("is asked of the reference runtime at its own path", async () => {
    const runtime = await startRuntime({
      model: "m",
      modelDigest: "sha256:00000000",
      embeddingModel: "e",
      embeddingSalt: "",
    });
    try {
      const ask = async (path: string): Promise<unknown> =>
        (await fetch(`${runtime.url}${path}`)).json();
      const found = await factsOf(ask, "m");
      assert.deepEqual([found?.engine?.name, found?.contextTokens], ["tideover-reference", 32_768]);
    } finally {
      await runtime.close();
    }
  });

  it("is pieced together from what vLLM says, which is its version and its context", async () => {
    const data = [
      { id: "other", max_model_len: 1 },
      { id: "m", max_model_len: 8_192 },
    ];
    const ask = from({ "/v1/models": { data }, "/version": { version: "0.9.1" } });
    assert.deepEqual(
      await factsOf(ask, "m"),
      facts({ precision: null, contextTokens: 8_192, engine: { name: "vllm", version: "0.9.1" } }),
    );
    const models = { data: [{ id: "m" }] };
    const hosted = await factsOf(from({ "/v1/models": models }), "m");
    assert.deepEqual(hosted, facts({ engine: null, precision: null }));
  });

  it("is nothing when it does not answer, or answers in another tongue", async () => {
    assert.equal(await factsOf(from({}), "m"), null);
    assert.equal(await factsOf(from({ "/v1/models": "<html>" }), "m"), null);
  });
});
