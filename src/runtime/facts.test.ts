import assert from "node:assert/strict";
import { test } from "node:test";
import { compareContract } from "../core/release/contract.ts";
import { runtimeFactsSchema, servingContractSchema } from "../model/serving.ts";
import { startRuntime } from "./server.ts";

test("a runtime says what it is, in the shape that a serving contract is compared with", async () => {
  const runtime = await startRuntime({
    model: "m",
    modelDigest: "sha256:00000000",
    embeddingModel: "e",
    embeddingSalt: "",
    maxModelTokens: 4_096,
  });
  try {
    const response = await fetch(`${runtime.url}/tideover/runtime`);
    const facts = runtimeFactsSchema.parse(await response.json());
    const contract = servingContractSchema.parse({
      engine: { name: "tideover-reference", versions: ">=1.0 <2" },
      tokenizer: facts.tokenizer ?? "",
      contextTokens: 8_192,
      memoryPerGpu: 1,
    });
    assert.deepEqual(
      compareContract(contract, facts).map(({ point, state }) => [point, state]),
      [
        ["engine", "met"],
        ["tokenizer", "met"],
        ["contextTokens", "broken"],
        ["memoryPerGpu", "unknown"],
      ],
    );
    assert.equal((await fetch(`${runtime.url}/tideover/runtime`, { method: "POST" })).status, 405);
  } finally {
    await runtime.close();
  }
});
