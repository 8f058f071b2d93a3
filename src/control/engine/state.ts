import { z } from "zod";
import { type EstateReleases, releasesOf } from "../../core/publish/releases.ts";
import { canaryThresholdsSchema } from "../../model/canary.ts";
import {
  type IndexHold,
  type Intent,
  indexHoldSchema,
  intentSchema,
  type Ownership,
  ownershipSchema,
} from "../../model/intent.ts";
import { KEYS } from "../../model/keys.ts";
import { type Plan, type PlanState, planSchema, planStateSchema } from "../../model/plan.ts";
import {
  type KnownRelease,
  knownReleaseSchema,
  type ReleaseIntent,
  releaseIntentSchema,
} from "../../model/release-intent.ts";
import { type SignedSnapshot, signedSnapshotSchema } from "../../model/snapshot.ts";
import type { Compare, Store, StoreEntry } from "../../ports/store.ts";

/** A value as the store held it, with the revision that a write must compare. */
export interface Held<T> {
  readonly value: T;
  readonly revision: number;
}

export interface StoredSnapshot {
  readonly number: number;
  readonly signed: SignedSnapshot;
}

interface Parser<T> {
  parse(value: unknown): T;
}

export async function readIntents(store: Store): Promise<Held<Intent>[]> {
  return (await store.list(KEYS.intents)).map((entry) => held(entry, intentSchema));
}

export async function readIntent(store: Store, workflow: string): Promise<Held<Intent> | null> {
  return heldOrNull(await store.get(KEYS.intent(workflow)), intentSchema);
}

export async function readOwnerships(store: Store): Promise<Held<Ownership>[]> {
  return (await store.list(KEYS.ownerships)).map((entry) => held(entry, ownershipSchema));
}

export async function readOwnership(store: Store, index: string): Promise<Held<Ownership> | null> {
  return heldOrNull(await store.get(KEYS.ownership(index)), ownershipSchema);
}

export async function readIndexHolds(store: Store): Promise<Held<IndexHold>[]> {
  return (await store.list(KEYS.indexHolds)).map((entry) => held(entry, indexHoldSchema));
}

export async function readIndexHold(store: Store, index: string): Promise<Held<IndexHold> | null> {
  return heldOrNull(await store.get(KEYS.indexHold(index)), indexHoldSchema);
}

export async function readReleaseIntent(store: Store): Promise<Held<ReleaseIntent> | null> {
  return heldOrNull(await store.get(KEYS.releaseIntent), releaseIntentSchema);
}

export async function readKnownReleases(store: Store): Promise<Held<KnownRelease>[]> {
  return (await store.list(KEYS.releases)).map((entry) => held(entry, knownReleaseSchema));
}

/** Which release each region shall serve, with the bodies: what a snapshot is built from. */
export async function readReleases(store: Store): Promise<EstateReleases> {
  const intent = await readReleaseIntent(store);
  const known = intent === null ? [] : await readKnownReleases(store);
  return releasesOf(
    intent?.value ?? null,
    known.map(({ value }) => value),
  );
}

/** What a decision needs of a known release. Not its body: that may be large, and is read often. */
const releaseNameSchema = z
  .object({
    digest: z.string(),
    number: z.int().nullable(),
    body: z.object({
      evaluation: z.object({ canary: canaryThresholdsSchema.optional() }).optional(),
    }),
  })
  .transform(({ digest, number, body }) => ({
    digest,
    number,
    /** How it wants to be compared with the release before it; absent where it says nothing. */
    canary: body.evaluation?.canary,
  }));
export type ReleaseName = z.infer<typeof releaseNameSchema> & { readonly revision: number };

export async function readReleaseNames(store: Store): Promise<ReleaseName[]> {
  return (await store.list(KEYS.releases)).map(({ value, revision }) => ({
    ...releaseNameSchema.parse(value),
    revision,
  }));
}

export async function readPlan(store: Store, id: string): Promise<Held<Plan> | null> {
  return heldOrNull(await store.get(KEYS.plan(id)), planSchema);
}

export async function readPlanState(store: Store, id: string): Promise<Held<PlanState> | null> {
  return heldOrNull(await store.get(KEYS.planState(id)), planStateSchema);
}

export async function readSnapshot(store: Store): Promise<Held<StoredSnapshot> | null> {
  return heldOrNull(await store.get(KEYS.snapshot), { parse: parseSnapshot });
}

/** What KEYS.snapshot holds: the signed snapshot and, beside it, its number. */
export function snapshotValue(snapshot: StoredSnapshot): SignedSnapshot & { number: number } {
  return { ...snapshot.signed, number: snapshot.number };
}

/** Holds only while nobody has written the key since it was read; null: since it was absent. */
export function unchanged(key: string, value: Held<unknown> | null): Compare {
  return { key, revision: value?.revision ?? 0 };
}

function parseSnapshot(value: unknown): StoredSnapshot {
  const { number, ...signed } = value as SignedSnapshot & { number: number };
  return { number, signed: signedSnapshotSchema.parse(signed) };
}

function held<T>(entry: StoreEntry, schema: Parser<T>): Held<T> {
  return { value: schema.parse(entry.value), revision: entry.revision };
}

function heldOrNull<T>(entry: StoreEntry | null, schema: Parser<T>): Held<T> | null {
  return entry === null ? null : held(entry, schema);
}
