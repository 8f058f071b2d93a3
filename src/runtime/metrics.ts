import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { FinishReason, Usage } from "../wire/openai.ts";
import type { Slots } from "./queue.ts";

/**
 * The runtime's figures under vLLM's metric names, so that what scrapes a real model server reads
 * this one unchanged. Each server owns its registry: two in one process must not add up.
 */

export interface RuntimeMetrics {
  /** Prometheus text exposition. */
  readonly text: () => Promise<string>;
  readonly contentType: string;
  /** Tokens of a running request enter the (pretended) cache; call the result to free them. */
  readonly occupy: (tokens: number) => () => void;
  readonly firstToken: (seconds: number) => void;
  /** `reason` is `abort` when the caller left before the end. */
  readonly finished: (reason: FinishReason | "abort", usage: Usage, seconds: number) => void;
}

const LATENCY_BUCKETS = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const LABELS = ["model_name"] as const;

/** @param cacheTokens how many tokens count as a full cache. */
export function runtimeMetrics(model: string, slots: Slots, cacheTokens: number): RuntimeMetrics {
  const registry = new Registry();
  const registers = [registry];
  let held = 0;
  gauges(registry, model, slots, () => Math.min(1, held / cacheTokens));
  const counter = (name: string, help: string): Counter<"model_name"> =>
    new Counter({ name, help, labelNames: LABELS, registers });
  const histogram = (name: string, help: string): Histogram<"model_name"> =>
    new Histogram({ name, help, labelNames: LABELS, buckets: LATENCY_BUCKETS, registers });
  const prompt = counter("vllm:prompt_tokens_total", "Prompt tokens processed.");
  const generated = counter("vllm:generation_tokens_total", "Tokens generated.");
  const success = new Counter({
    name: "vllm:request_success_total",
    help: "Finished requests by reason.",
    labelNames: ["model_name", "finished_reason"],
    registers,
  });
  const first = histogram("vllm:time_to_first_token_seconds", "Time to the first token.");
  const whole = histogram("vllm:e2e_request_latency_seconds", "Time to the end of the answer.");
  const labels = { model_name: model };
  // Zeroes from the start: a rate over a series that appears late misses its first step.
  for (const metric of [prompt, generated]) metric.inc(labels, 0);
  for (const reason of ["stop", "length", "abort"]) {
    success.inc({ ...labels, finished_reason: reason }, 0);
  }
  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    occupy: (tokens) => {
      held += tokens;
      return () => {
        held -= tokens;
      };
    },
    firstToken: (seconds) => first.observe(labels, seconds),
    finished: (reason, usage, seconds) => {
      prompt.inc(labels, usage.prompt_tokens);
      generated.inc(labels, usage.completion_tokens);
      // vLLM's engine knows no tool calls: to it they are an ordinary stop.
      success.inc({ ...labels, finished_reason: reason === "tool_calls" ? "stop" : reason });
      whole.observe(labels, seconds);
    },
  };
}

function gauges(registry: Registry, model: string, slots: Slots, cacheUse: () => number): void {
  const readings: readonly (readonly [string, string, () => number])[] = [
    ["vllm:num_requests_running", "Requests being generated.", () => slots.running],
    ["vllm:num_requests_waiting", "Requests waiting for a slot.", () => slots.waiting],
    ["vllm:kv_cache_usage_perc", "Cache in use, 0 to 1; pretended.", cacheUse],
  ];
  for (const [name, help, read] of readings) {
    new Gauge({
      name,
      help,
      labelNames: LABELS,
      registers: [registry],
      collect() {
        this.set({ model_name: model }, read());
      },
    });
  }
}
