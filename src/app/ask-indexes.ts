import { z } from "zod";
import { createHttpProbe } from "../adapters/probe-http/probe.ts";
import { type ErrorCode, TideoverError } from "../lib/errors.ts";
import { type LogEntry, logEntrySchema } from "../model/change.ts";
import { indexStandingSchema } from "../model/index-health.ts";
import { type IndexVerification, indexVerificationSchema } from "../model/index-verification.ts";
import { positionSchema } from "../model/position.ts";
import type { Release } from "../model/release.ts";
import { restoreStateSchema } from "../model/restore.ts";
import { indexStateSchema } from "../model/signal.ts";
import type { Probe } from "../ports/probe.ts";
import { AGENT_PATHS } from "../wire/headers.ts";
import { type Estate, keysOf } from "./estate.ts";

const ASK_MS = 5_000;
/** A whole look at a million records takes a minute, and a repair two of them. */
const ORDER_MS = 600_000;

const reindexSchema = z.object({
  reindex: z
    .object({
      work: z.enum(["build", "drop"]),
      ...{ embedding: z.string(), done: z.int(), total: z.int() },
      ...{ running: z.boolean(), error: z.string().nullable() },
      /** What the acceptance found. */
      accepted: z.string().nullable(),
    })
    .nullable(),
});
export type ReindexWord = z.infer<typeof reindexSchema>["reindex"];

/** What to reindex with: the active release's model when nothing is said. */
export type ReindexOrder =
  | { readonly embedding?: NonNullable<Release["embedding"]> }
  | { readonly drop: string };

const copySchema = indexStateSchema.extend({
  /** Embedding versions that records have a vector of; `whole`: all of them do. */
  versions: z.array(z.object({ name: z.string(), whole: z.boolean() })),
  /** Of this region as the owner, since its agent's start. */
  ...reindexSchema.shape,
  /** Region that owns the index, as this agent knows it; null when it does not. */
  owner: z.string().nullable(),
  epoch: z.int(),
  frozen: z.boolean(),
  /** The log holds the entries above this seq. */
  base: z.int(),
  at: z.unknown(),
});
export type IndexCopy = z.infer<typeof copySchema>;

const takenSchema = z.object({
  digest: z.string(),
  tag: z.string(),
  position: positionSchema,
  bytes: z.number(),
  newBytes: z.number(),
});
export type TakenSnapshot = z.infer<typeof takenSchema>;

const keptSchema = z.object({
  snapshots: z.array(
    z.object({
      ...{ tag: z.string(), digest: z.string(), position: positionSchema, epoch: z.int() },
      ...{ records: z.int(), bytes: z.number(), hits: z.int() },
    }),
  ),
});
export type KeptSnapshot = z.infer<typeof keptSchema>["snapshots"][number];

export interface RestoreOrder {
  readonly snapshot: string | null;
  readonly asOwner: boolean;
}

const restoreWordSchema = z.object({
  /** null when none is under way. */
  restore: restoreStateSchema.nullable(),
  standing: indexStandingSchema,
  position: positionSchema,
  /** Why the last one failed. */
  error: z.string().nullable(),
});
export type RestoreWord = z.infer<typeof restoreWordSchema>;

const repairSchema = z.object({ cured: z.boolean(), because: z.string() });

/** One region's copy of one index; `error` says why its agent did not say. */
export type OfCopy<T> = { readonly region: string; readonly index: string } & (
  | { readonly told: T; readonly error: null }
  | { readonly told: null; readonly error: string }
);

/** The agents of an estate, asked about their copies of indexes. To be closed. */
export class IndexAgents {
  readonly #estate: Estate;
  readonly #token: string;
  readonly #probe: Probe & { close(): Promise<void> };

  constructor(estate: Estate) {
    this.#estate = estate;
    this.#token = keysOf(estate).token;
    this.#probe = createHttpProbe();
  }

  /** Never throws for an agent's sake: one that does not answer is in the list, too. */
  state(region: string, index: string): Promise<OfCopy<IndexCopy>> {
    return this.#told(region, index, () =>
      this.#ask(region, { path: AGENT_PATHS.index(index), timeoutMs: ASK_MS }, copySchema),
    );
  }

  verify(region: string, index: string): Promise<OfCopy<IndexVerification>> {
    const path = AGENT_PATHS.verify(index);
    return this.#told(region, index, () =>
      this.#ask(region, { path, body: {}, timeoutMs: ORDER_MS }, indexVerificationSchema),
    );
  }

  repair(region: string, index: string): Promise<OfCopy<z.infer<typeof repairSchema>>> {
    const path = AGENT_PATHS.repair(index);
    return this.#told(region, index, () =>
      this.#ask(region, { path, body: {}, timeoutMs: ORDER_MS }, repairSchema),
    );
  }

  /** The log's entries above a seq. Throws PEER_UNAVAILABLE. */
  entries(region: string, index: string, after: number): Promise<LogEntry[]> {
    const path = `${AGENT_PATHS.entries(index)}?after=${after}&limit=200`;
    return this.#ask(region, { path, timeoutMs: ASK_MS }, z.array(logEntrySchema));
  }

  /** Takes a snapshot of a region's copy now. Throws PEER_UNAVAILABLE with the agent's reason. */
  snapshot(region: string, index: string): Promise<TakenSnapshot> {
    const path = AGENT_PATHS.snapshots(index);
    return this.#ask(region, { path, body: {}, timeoutMs: ORDER_MS }, takenSchema);
  }

  /** The newest first. Throws PEER_UNAVAILABLE. */
  async snapshots(region: string, index: string): Promise<readonly KeptSnapshot[]> {
    const path = AGENT_PATHS.snapshots(index);
    return (await this.#ask(region, { path, timeoutMs: ASK_MS }, keptSchema)).snapshots;
  }

  /** Begins a restore; `restoreState` says how far it is. Throws PEER_UNAVAILABLE. */
  async restore(region: string, index: string, order: RestoreOrder): Promise<void> {
    const path = AGENT_PATHS.restore(index);
    await this.#ask(region, { path, body: order, timeoutMs: ASK_MS }, z.object({}));
  }

  /** Throws PEER_UNAVAILABLE. */
  restoreState(region: string, index: string): Promise<RestoreWord> {
    const path = AGENT_PATHS.restore(index);
    return this.#ask(region, { path, timeoutMs: ASK_MS }, restoreWordSchema);
  }

  /** Begins it, or joins the one that is under way. Throws PEER_UNAVAILABLE. */
  async reindex(region: string, index: string, order: ReindexOrder): Promise<void> {
    const path = AGENT_PATHS.reindex(index);
    await this.#ask(region, { path, body: order, timeoutMs: ASK_MS }, reindexSchema);
  }

  /** null when none was begun since the agent's start. Throws PEER_UNAVAILABLE. */
  async reindexState(region: string, index: string): Promise<ReindexWord> {
    const path = AGENT_PATHS.reindex(index);
    return (await this.#ask(region, { path, timeoutMs: ASK_MS }, reindexSchema)).reindex;
  }

  close(): Promise<void> {
    return this.#probe.close();
  }

  async #told<T>(region: string, index: string, ask: () => Promise<T>): Promise<OfCopy<T>> {
    try {
      return { region, index, told: await ask(), error: null };
    } catch (error) {
      if (!(error instanceof TideoverError)) throw error;
      return { region, index, told: null, error: error.message };
    }
  }

  async #ask<T>(
    region: string,
    asked: { readonly path: string; readonly body?: unknown; readonly timeoutMs: number },
    schema: z.ZodType<T>,
  ): Promise<T> {
    const { path, body, timeoutMs } = asked;
    const agent = this.#estate.spec.regions[region]?.agent;
    if (agent === undefined) throw silent(region, "the spec gives it no agent");
    const answer = await this.#probe.exchange({
      url: `http://${agent}${path}`,
      headers: { authorization: `Bearer ${this.#token}` },
      ...(body === undefined ? {} : { method: "POST" as const, body }),
      timeoutMs,
    });
    if (!answer.answered) throw silent(region, answer.reason);
    const value = parsed(answer.body);
    const told = schema.safeParse(value);
    if (answer.status === 200 && told.success) return told.data;
    const refusal = errorSchema.safeParse(value).data?.error;
    throw refusal === undefined ? silent(region, `${answer.status}`) : refused(region, refusal);
  }
}

const errorSchema = z.object({
  error: z.object({
    message: z.string(),
    code: z.string().optional(),
    next: z.string().optional(),
  }),
});

/** What an agent says of an order: whoever gave it mends it, and the agent is well. */
const REFUSALS: readonly ErrorCode[] = ["USAGE", "NOT_READY", "RELEASE_INVALID"];

function refused(
  region: string,
  { message, code, next }: z.infer<typeof errorSchema>["error"],
): TideoverError {
  const known = REFUSALS.find((one) => one === code);
  if (known === undefined || next === undefined) return silent(region, message);
  return new TideoverError(`the agent of ${region}: ${message}`, { code: known, next });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function silent(region: string, reason: string): TideoverError {
  return new TideoverError(`the agent of ${region}: ${reason}`, {
    code: "PEER_UNAVAILABLE",
    retry: "later",
    next: `Look at the agent of ${region}; \`tideover status\` shows which regions answer.`,
  });
}
