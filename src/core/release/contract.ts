import type { RuntimeFacts, ServingContract } from "../../model/serving.ts";
import { inRange } from "./versions.ts";

/** One point of a serving contract, and how a runtime stands to it. */
export interface ContractFinding {
  /** As in `release.yaml`: `engine`, `precision`, … */
  readonly point: string;
  readonly state: "met" | "broken" | "unknown";
  /** One sentence part, such as `engine is vllm 0.7.3, the release expects vllm >=0.8.0`. */
  readonly because: string;
}

/**
 * Compares what a release expects of a runtime with what the runtime says it is, point by point.
 * What the contract leaves out is not compared. What the runtime does not say is `unknown`: that
 * the contract is broken was not seen, and that it is met was not either.
 */
export function compareContract(contract: ServingContract, facts: RuntimeFacts): ContractFinding[] {
  return [
    ...engineFindings(contract, facts),
    ...equal("tokenizer", contract.tokenizer, facts.tokenizer),
    ...equal("chatTemplate", contract.chatTemplate, facts.chatTemplate),
    ...equal("precision", contract.precision, facts.precision),
    ...atLeast("contextTokens", contract.contextTokens, facts.contextTokens),
    ...atLeast("memoryPerGpu", contract.memoryPerGpu, facts.gpu?.memoryBytes ?? null),
    ...equal("tensorParallel", contract.tensorParallel, facts.tensorParallel),
  ];
}

function engineFindings({ engine }: ServingContract, facts: RuntimeFacts): ContractFinding[] {
  if (engine === undefined) return [];
  const wanted = `${engine.name} ${engine.versions}`;
  const found = facts.engine;
  if (found === null) return [finding("engine", null, null, wanted)];
  const named = found.name.toLowerCase() === engine.name.toLowerCase();
  const state = named ? inRange(found.version, engine.versions) : false;
  return [finding("engine", state, `${found.name} ${found.version}`, wanted)];
}

function equal<Value extends string | number>(
  point: string,
  wanted: Value | undefined,
  found: Value | null,
): ContractFinding[] {
  if (wanted === undefined) return [];
  return [finding(point, found === null ? null : found === wanted, found, String(wanted))];
}

function atLeast(
  point: string,
  wanted: number | undefined,
  found: number | null,
): ContractFinding[] {
  if (wanted === undefined) return [];
  return [finding(point, found === null ? null : found >= wanted, found, `at least ${wanted}`)];
}

function finding(
  point: string,
  met: boolean | null,
  found: string | number | null,
  wanted: string,
): ContractFinding {
  const state = met === null ? "unknown" : met ? "met" : "broken";
  const is = found === null ? "is not known" : `is ${found}`;
  return { point, state, because: `${point} ${is}, the release expects ${wanted}` };
}
