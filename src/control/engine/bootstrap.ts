import {
  asKnown,
  initialReleaseIntent,
  releasesOf,
  withNewSignatures,
} from "../../core/publish/releases.ts";
import { initialIntents, initialOwnerships } from "../../core/publish/snapshot.ts";
import { KEYS } from "../../model/keys.ts";
import type { KnownRelease, ReleaseIntent } from "../../model/release-intent.ts";
import type { Compare, Operation } from "../../ports/store.ts";
import type { ControllerDeps } from "../deps.ts";
import type { Term } from "./leadership.ts";
import { nextSnapshot } from "./publish.ts";
import type { Fact, Recorder, Write } from "./record.ts";
import {
  type Held,
  readIntents,
  readKnownReleases,
  readOwnerships,
  readReleaseIntent,
  readSnapshot,
} from "./state.ts";

/**
 * Puts what the spec names and the store does not have yet: first intents, first ownerships, the
 * first release, first snapshot. What is there stays, whatever the spec says now: after a failover,
 * the spec's primary is history, and a restarted controller that "corrected" it would undo the
 * recovery. A release folder that was changed meanwhile is made known and is not activated: that is
 * a plan's work, region by region. Signatures that were made since are added to a known release.
 */
export async function bootstrap(
  deps: ControllerDeps,
  recorder: Recorder,
  term: Term,
): Promise<void> {
  const { store, spec, clock } = deps;
  const now = clock.now();
  const known = await readIntents(store);
  const intents = initialIntents(spec, now).filter(
    ({ workflow }) => !known.some(({ value }) => value.workflow === workflow),
  );
  const ownerships = (await missingOwnerships(deps)).map(
    (ownership) => [KEYS.ownership(ownership.index), ownership] as const,
  );
  const release = await firstRelease(deps, now);
  const firsts = [
    ...intents.map((intent) => [KEYS.intent(intent.workflow), intent] as const),
    ...ownerships,
    ...release.missing,
  ];
  const snapshot = await firstSnapshot(
    deps,
    [...known.map(({ value }) => value), ...intents],
    release,
  );
  if (firsts.length > 0 || snapshot !== null) {
    await recorder.commit(term.fence, {
      compare: [...firsts.map(([key]) => absent(key)), ...(snapshot?.compare ?? [])],
      operations: [
        ...firsts.map(([key, value]) => put(key, value)),
        ...(snapshot?.operations ?? []),
      ],
      facts: [firstFact(spec.estate, firsts), ...(snapshot?.facts ?? [])],
    });
  }
  if (release.renewed !== null) await recorder.commit(term.fence, renewal(release.renewed));
}

async function missingOwnerships(deps: ControllerDeps) {
  const known: Held<{ index: string }>[] = await readOwnerships(deps.store);
  return initialOwnerships(deps.spec).filter(
    ({ index }) => !known.some(({ value }) => value.index === index),
  );
}

interface FirstRelease {
  /** As they stand once what is missing is written. */
  readonly intent: ReleaseIntent | null;
  readonly known: readonly KnownRelease[];
  readonly missing: readonly (readonly [key: string, value: unknown])[];
  /** The folder's release, known before, with signatures that were made since; null: none were. */
  readonly renewed: Held<KnownRelease> | null;
}

async function firstRelease(
  { store, spec, release }: ControllerDeps,
  now: number,
): Promise<FirstRelease> {
  const intent = (await readReleaseIntent(store))?.value ?? null;
  const held = await readKnownReleases(store);
  const known = held.map(({ value }) => value);
  if (release === null) return { intent, known, missing: [], renewed: null };
  const first = intent ?? initialReleaseIntent(spec, release.digest, now);
  const before = held.find(({ value }) => value.digest === release.digest);
  const isKnown = before !== undefined;
  const renewed = isKnown ? withNewSignatures(before.value, release) : null;
  const own = asKnown(release, now, "the estate's release folder");
  return {
    intent: first,
    known: isKnown ? known : [...known, own],
    missing: [
      ...(isKnown ? [] : [[KEYS.release(release.digest), own] as const]),
      ...(intent === null ? [[KEYS.releaseIntent, first] as const] : []),
    ],
    renewed: before && renewed ? { ...before, value: renewed } : null,
  };
}

/** The snapshot follows by itself: what it carries is not what the store has any more. */
function renewal({ value, revision }: Held<KnownRelease>): Write {
  const key = KEYS.release(value.digest);
  const text = `release ${value.digest} bears new signatures`;
  return {
    compare: [{ key, revision }],
    operations: [put(key, value)],
    facts: [{ kind: "estate", text, data: { release: value.digest, number: value.number } }],
  };
}

async function firstSnapshot(
  deps: ControllerDeps,
  intents: Parameters<typeof nextSnapshot>[2]["intents"],
  { intent, known }: FirstRelease,
) {
  const current = await readSnapshot(deps.store);
  if (current !== null) return null;
  const because = "the first snapshot of this estate";
  return nextSnapshot(deps, null, { intents, releases: releasesOf(intent, known), because }).write;
}

function firstFact(estate: string, firsts: readonly (readonly [string, unknown])[]): Fact {
  const keys = firsts.map(([key]) => key);
  return { kind: "estate", text: `${estate} begins with ${keys.join(", ")}`, data: { keys } };
}

/** "Only if nobody was quicker": two first starts at once must not both win. */
function absent(key: string): Compare {
  return { key, revision: 0 };
}

function put(key: string, value: unknown): Operation {
  return { put: key, value };
}
