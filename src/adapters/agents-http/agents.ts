import { z } from "zod";
import { type ErrorCode, TideoverError } from "../../lib/errors.ts";
import type { RegionName } from "../../model/ids.ts";
import { indexProofSchema } from "../../model/index-verification.ts";
import { positionSchema } from "../../model/position.ts";
import { readinessSchema } from "../../model/readiness.ts";
import type { Agents, CanaryAnswer } from "../../ports/agents.ts";
import type { Probe, ProbeResponse } from "../../ports/probe.ts";
import { AGENT_PATHS } from "../../wire/headers.ts";

export interface HttpAgentsOptions {
  readonly probe: Probe;
  /** The estate's token. */
  readonly token: string;
  /** Base URL of each region's agent. */
  readonly agents: ReadonlyMap<RegionName, string>;
}

const catchUpSchema = z.object({ own: positionSchema, owner: positionSchema.nullable() });
const canarySchema: z.ZodType<CanaryAnswer> = z.object({
  ok: z.boolean(),
  region: z.string().nullable(),
  releaseDigest: z.string().nullable(),
  epoch: z.number().nullable(),
  mode: z.string().nullable(),
  detail: z.string(),
});

const heldReleaseSchema = z.object({ complete: z.boolean(), detail: z.string() });

/** Asks the agents over their HTTP API (src/region/server.ts answers). */
export function createHttpAgents(options: HttpAgentsOptions): Agents {
  const post = <T>(call: Call<T>): Promise<T> => exchange(options, call);
  return {
    readiness: (region, workflow, { exactIndex, timeoutMs }) =>
      post({
        region,
        path: AGENT_PATHS.readiness,
        body: { workflow, exactIndex, timeoutMs: within(timeoutMs) },
        timeoutMs,
        schema: readinessSchema,
      }),
    obeyOwnership: (region, ownership, timeoutMs) =>
      post({
        region,
        path: AGENT_PATHS.ownership,
        body: ownership,
        timeoutMs,
        schema: positionSchema,
      }),
    catchUp: (region, index, timeoutMs) =>
      post({
        region,
        path: AGENT_PATHS.catchUp(index),
        body: { timeoutMs: within(timeoutMs) },
        timeoutMs,
        schema: catchUpSchema,
      }),
    proveIndex: (region, index, timeoutMs) =>
      post({
        region,
        path: AGENT_PATHS.prove(index),
        body: {},
        timeoutMs,
        schema: indexProofSchema,
      }),
    fetchRelease: (region, digest, timeoutMs) =>
      post({
        region,
        path: AGENT_PATHS.fetchRelease,
        body: { digest, timeoutMs: within(timeoutMs) },
        timeoutMs,
        schema: heldReleaseSchema,
      }),
    verifyRelease: (region, digest, timeoutMs) =>
      post({
        region,
        path: AGENT_PATHS.verifyRelease,
        body: { digest, timeoutMs: within(timeoutMs) },
        timeoutMs,
        schema: heldReleaseSchema,
      }),
    canary: (region, workflow, timeoutMs, { standby } = { standby: false }) =>
      post({
        region,
        path: AGENT_PATHS.canary,
        body: { workflow, standby, timeoutMs: within(timeoutMs) },
        timeoutMs,
        schema: canarySchema,
      }),
  };
}

/**
 * What the agent is given of our patience. Less than all of it: an agent that uses up its time says
 * what it found by then, and that must still arrive.
 */
function within(timeoutMs: number): number {
  return Math.max(1, timeoutMs * 0.9);
}

interface Call<T> {
  readonly region: RegionName;
  readonly path: string;
  readonly body: unknown;
  readonly timeoutMs: number;
  readonly schema: z.ZodType<T>;
}

async function exchange<T>(options: HttpAgentsOptions, call: Call<T>): Promise<T> {
  const { region, path, body, timeoutMs, schema } = call;
  const base = options.agents.get(region);
  if (base === undefined) throw unavailable(`no agent of ${region} is known`);
  const answer = await options.probe.exchange({
    url: `${base.replace(/\/+$/, "")}${path}`,
    method: "POST",
    headers: { authorization: `Bearer ${options.token}` },
    body,
    timeoutMs,
  });
  if (!answer.answered) {
    throw unavailable(`the agent of ${region} did not answer: ${answer.reason}`);
  }
  if (answer.status !== 200) throw refusalOf(region, answer);
  const parsed = schema.safeParse(parseJson(answer.body));
  if (parsed.success) return parsed.data;
  throw unavailable(
    `the agent of ${region} answered what is not understood: ${shown(answer.body)}`,
  );
}

/** Codes that mean the same on both sides. All others: an agent that is of no use now. */
const KEPT: readonly ErrorCode[] = [
  "ARTIFACT_INVALID",
  "EPOCH_STALE",
  "INDEX_DIVERGED",
  "INDEX_UNAVAILABLE",
  "NOT_FOUND",
  "RELEASE_INVALID",
  "RELEASE_TAMPERED",
  "UNAUTHORIZED",
];

const errorSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), next: z.string().optional() }),
});

function refusalOf(region: RegionName, answer: ProbeResponse): TideoverError {
  const said = errorSchema.safeParse(parseJson(answer.body)).data?.error;
  const code = KEPT.find((one) => one === said?.code);
  const message = said?.message ?? `${answer.status}: ${shown(answer.body)}`;
  if (code === undefined) return unavailable(`the agent of ${region} refused: ${message}`);
  const retry = code === "INDEX_UNAVAILABLE" ? "later" : "never";
  const next = said?.next === undefined ? {} : { next: said.next };
  return new TideoverError(`agent of ${region}: ${message}`, { code, retry, ...next });
}

function unavailable(message: string): TideoverError {
  return new TideoverError(message, {
    code: "PEER_UNAVAILABLE",
    retry: "later",
    next: "Look at the agent's process and its log.",
  });
}

function shown(text: string): string {
  return text.replace(/\s+/g, " ").slice(0, 200);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
