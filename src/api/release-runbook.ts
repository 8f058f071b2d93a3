import { decideRelease } from "../core/decisions/release.ts";
import { releasePlanFor } from "../core/plans/release-plan.ts";
import { initialReleaseIntent } from "../core/publish/releases.ts";
import { intentSchema } from "../model/intent.ts";
import { KEYS } from "../model/keys.ts";
import type { Plan } from "../model/plan.ts";
import { type ReleaseIntent, releaseIntentSchema } from "../model/release-intent.ts";
import { releaseSpecOf, type Spec } from "../model/spec.ts";
import type { Store } from "../ports/store.ts";
import { readAll } from "./status.ts";

/** The plans that would run: of the next release, whatever it is, and of going back from it. */
export interface ReleaseRunbook {
  readonly activation: Plan;
  readonly rollback: Plan;
}

/** Stands in the plans for a digest that nobody knows yet. */
const NEXT = "the next release";

/** By the same decision and the same planner as the controller's; null: an estate without a release. */
export async function releaseRunbookOf(
  store: Store | null,
  estate: { readonly spec: Spec; readonly release: { readonly digest: string } | null },
  now: number,
): Promise<ReleaseRunbook | null> {
  const intent = await presentIntent(store, estate, now);
  if (intent === null) return null;
  const serving = await servingRegions(store, estate.spec);
  const present = { ...intent, heldBy: null };
  const activated: ReleaseIntent = {
    ...present,
    epoch: present.epoch + 1,
    regions: initialReleaseIntent(estate.spec, NEXT, now).regions,
  };
  return {
    activation: planOf(estate.spec, present, { kind: "activate", serving, now }),
    rollback: planOf(estate.spec, activated, { kind: "rollback", serving, now }),
  };
}

async function presentIntent(
  store: Store | null,
  { spec, release }: { readonly spec: Spec; readonly release: { readonly digest: string } | null },
  now: number,
): Promise<ReleaseIntent | null> {
  const stored = store === null ? null : await store.get(KEYS.releaseIntent);
  const parsed = releaseIntentSchema.safeParse(stored?.value);
  if (parsed.success) return parsed.data;
  return release === null ? null : initialReleaseIntent(spec, release.digest, now);
}

async function servingRegions(store: Store | null, spec: Spec): Promise<string[]> {
  const intents = store === null ? [] : await readAll(store, KEYS.intents, intentSchema);
  const serving = intents.flatMap((intent) => intent.serving);
  return serving.length > 0 ? serving : Object.values(spec.workflows).map(({ primary }) => primary);
}

function planOf(
  spec: Spec,
  intent: ReleaseIntent,
  about: {
    readonly kind: "activate" | "rollback";
    readonly serving: readonly string[];
    readonly now: number;
  },
): Plan {
  const { kind, serving, now } = about;
  const decision = decideRelease({
    intent,
    regions: Object.keys(spec.regions),
    known: [NEXT, ...intent.good].map((digest) => ({ digest, number: null })),
    failed: [],
    serving,
    moving: [],
    request: { id: "runbook", kind, release: NEXT, by: "runbook", at: now },
    bad: null,
  });
  return releasePlanFor({
    decision,
    intent,
    detection: spec.detection,
    bakeMs: releaseSpecOf(spec)?.bake ?? 0,
    pauseMs: releaseSpecOf(spec)?.pause,
    id: "would-be",
    parent: null,
    now,
  });
}
