import assert from "node:assert/strict";
import { test } from "node:test";
import { type RuntimeFacts, servingContractSchema } from "../../model/serving.ts";
import { compareContract } from "./contract.ts";
import { inRange } from "./versions.ts";

const TOKENIZER = `sha256:${"7".repeat(64)}`;
const FACTS: RuntimeFacts = {
  engine: { name: "vllm", version: "0.9.2.post1" },
  tokenizer: TOKENIZER,
  chatTemplate: null,
  precision: "bfloat16",
  contextTokens: 32_768,
  gpu: { memoryBytes: 80e9, count: 4 },
  tensorParallel: 4,
};
const CONTRACT = servingContractSchema.parse({
  engine: { name: "vLLM", versions: ">=0.8.0 <0.11" },
  tokenizer: TOKENIZER,
  precision: "bfloat16",
  contextTokens: 32_768,
  memoryPerGpu: 80e9,
  tensorParallel: 4,
});

const states = (contract = CONTRACT, facts = FACTS): Record<string, string> =>
  Object.fromEntries(compareContract(contract, facts).map(({ point, state }) => [point, state]));

test("a runtime that is what the release expects meets every point that the contract has", () => {
  assert.deepEqual(states(), {
    engine: "met",
    tokenizer: "met",
    precision: "met",
    contextTokens: "met",
    memoryPerGpu: "met",
    tensorParallel: "met",
  });
  assert.deepEqual(compareContract(servingContractSchema.parse({}), FACTS), []);
});

const BROKEN: readonly [string, Partial<RuntimeFacts>, string][] = [
  [
    "engine",
    { engine: { name: "vllm", version: "0.7.3" } },
    "engine is vllm 0.7.3, the release expects vLLM >=0.8.0 <0.11",
  ],
  [
    "engine",
    { engine: { name: "tgi", version: "0.9.0" } },
    "engine is tgi 0.9.0, the release expects vLLM >=0.8.0 <0.11",
  ],
  [
    "tokenizer",
    { tokenizer: "sha256:8" },
    `tokenizer is sha256:8, the release expects ${TOKENIZER}`,
  ],
  ["precision", { precision: "fp8" }, "precision is fp8, the release expects bfloat16"],
  [
    "contextTokens",
    { contextTokens: 8_192 },
    "contextTokens is 8192, the release expects at least 32768",
  ],
  [
    "memoryPerGpu",
    { gpu: { memoryBytes: 40e9, count: 8 } },
    "memoryPerGpu is 40000000000, the release expects at least 80000000000",
  ],
  ["tensorParallel", { tensorParallel: 2 }, "tensorParallel is 2, the release expects 4"],
];

for (const [point, facts, because] of BROKEN) {
  test(`broken: ${because}`, () => {
    const findings = compareContract(CONTRACT, { ...FACTS, ...facts });
    assert.deepEqual(
      findings.filter(({ state }) => state !== "met"),
      [{ point, state: "broken", because }],
    );
  });
}

test("what the runtime does not say is unknown: neither met nor broken", () => {
  const silent: RuntimeFacts = {
    engine: null,
    tokenizer: null,
    chatTemplate: null,
    precision: null,
    contextTokens: null,
    gpu: null,
    tensorParallel: null,
  };
  assert.deepEqual(new Set(Object.values(states(CONTRACT, silent))), new Set(["unknown"]));
  const [engine] = compareContract(CONTRACT, silent);
  assert.equal(engine?.because, "engine is not known, the release expects vLLM >=0.8.0 <0.11");
  assert.equal(
    states(CONTRACT, { ...FACTS, engine: { name: "vllm", version: "dev" } }).engine,
    "unknown",
  );
});

test("versions lie in a range by their three numbers", () => {
  const table: readonly [string, string, boolean | null][] = [
    ["0.8.0", ">=0.8.0 <0.11", true],
    ["0.7.9", ">=0.8.0 <0.11", false],
    ["0.9.2", ">=0.8.0 <0.11", true],
    ["0.10.0", ">=0.8.0 <0.11", true],
    ["0.11.0", ">=0.8.0 <0.11", false],
    ["v1.2", "1.2.0", true],
    ["1.2.3+cu126", "=1.2.3", true],
    ["1.2.3rc1", ">1.2.3", false],
    ["1.2.4", ">1.2.3", true],
    ["2", "<=2.0.0", true],
    ["unknown", ">=1", null],
  ];
  for (const [version, range, expected] of table)
    assert.equal(inRange(version, range), expected, `${version} in ${range}`);
});

test("a range that nobody can read is refused where it is written", () => {
  for (const versions of ["^1.2", ">=1.0,<2", "latest", ">= 1.0", ""]) {
    const engine = { name: "vllm", versions };
    assert.equal(servingContractSchema.safeParse({ engine }).success, false, versions);
  }
});
