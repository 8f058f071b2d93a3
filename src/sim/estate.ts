import type { z } from "zod";
import type { Release } from "../model/release.ts";
import { type Spec, specSchema } from "../model/spec.ts";

type SpecText = z.input<typeof specSchema>;
type WorkflowText = SpecText["workflows"][string];

export interface SimEstateOptions {
  /** The first is the primary of every workflow and the home of every index. */
  readonly regions?: readonly string[];
  readonly workflows?: Readonly<Record<string, Partial<WorkflowText>>>;
  readonly detection?: SpecText["detection"];
  /** How late the pipelines may be; absent: nobody judges it. */
  readonly maxAge?: string;
}

const DEFAULT_REGIONS = ["eu-west", "us-east"];

/** A small estate: by default two regions, one index and one RAG workflow, with quick detection. */
export function simSpec(options: SimEstateOptions = {}): Spec {
  const {
    regions = DEFAULT_REGIONS,
    workflows = { "rag-search": {} },
    detection,
    maxAge,
  } = options;
  const [home = "eu-west", ...standbys] = regions;
  return specSchema.parse({
    tideover: 1,
    estate: "sim",
    controllers: [],
    detection: detection ?? { interval: "250ms", timeout: "500ms", confirm: "2s" },
    regions: Object.fromEntries(regions.map((region, at) => [region, regionText(at)])),
    tenants: { acme: { keys: [`sha256:${"a".repeat(64)}`] } },
    indexes: { handbook: { home, ...(maxAge === undefined ? {} : { freshness: { maxAge } }) } },
    workflows: Object.fromEntries(
      Object.entries(workflows).map(([name, given]) => [
        name,
        { ...workflowText(home, standbys), ...given },
      ]),
    ),
  } satisfies SpecText);
}

export const SIM_RELEASE: { readonly digest: string; readonly body: Release } = {
  digest: `sha256:${"1".repeat(64)}`,
  body: {
    name: "assistant",
    version: "1.0.0",
    model: { id: "reference-1", digest: `sha256:${"2".repeat(64)}`, fingerprint: "sha256:f" },
    prompts: { answer: { system: "Answer from {{documents}}.", version: "sha256:p" } },
    policy: { requestsPerMinute: 600, maxOutputTokens: 512 },
  },
};

/** Another version of it. */
export function simRelease(digit: string): { readonly digest: string; readonly body: Release } {
  const { body } = SIM_RELEASE;
  const system = `Answer from {{documents}}, version ${digit}.`;
  return {
    digest: `sha256:${digit.repeat(64)}`,
    body: { ...body, version: `1.0.${digit}`, prompts: { answer: { system, version: digit } } },
  };
}

function regionText(at: number): SpecText["regions"][string] {
  return {
    jurisdiction: at === 0 ? "EU" : "US",
    gateway: `127.0.0.1:${7101 + at}`,
    agent: `127.0.0.1:${7201 + at}`,
    components: {
      runtime: {
        targets: [{ name: "local", url: `http://127.0.0.1:${7301 + at}`, model: "reference-1" }],
      },
    },
  };
}

function workflowText(primary: string, standbys: readonly string[]): WorkflowText {
  return {
    pattern: "active-passive",
    primary,
    standbys: [...standbys],
    rto: "10s",
    rpo: "2s",
    prompt: "answer",
    retrieval: { index: "handbook" },
    declare: {
      by: "automatic",
      who: "on-call",
      signals: ["region-outage", "capacity-loss", "index-corruption"],
    },
    customers: { channel: "status page", message: "{workflow} moved from {from} to {to}." },
  };
}
