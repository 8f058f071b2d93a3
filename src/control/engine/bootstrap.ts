import { initialIntents, initialOwnerships } from "../../core/publish/snapshot.ts";
import { KEYS } from "../../model/keys.ts";
import type { Compare, Operation } from "../../ports/store.ts";
import type { ControllerDeps } from "../deps.ts";
import type { Term } from "./leadership.ts";
import { nextSnapshot } from "./publish.ts";
import type { Fact, Recorder } from "./record.ts";
import { type Held, readIntents, readOwnerships, readSnapshot } from "./state.ts";

/**
 * Puts what the spec names and the store does not have yet: first intents, first ownerships, first
 * snapshot. What is there stays, whatever the spec says now: after a failover, the spec's primary
 * is history, and a restarted controller that "corrected" it would undo the recovery.
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
  const firsts = [
    ...intents.map((intent) => [KEYS.intent(intent.workflow), intent] as const),
    ...ownerships,
  ];
  const snapshot = await firstSnapshot(deps, [...known.map(({ value }) => value), ...intents]);
  if (firsts.length === 0 && snapshot === null) return;
  await recorder.commit(term.fence, {
    compare: [...firsts.map(([key]) => absent(key)), ...(snapshot?.compare ?? [])],
    operations: [...firsts.map(([key, value]) => put(key, value)), ...(snapshot?.operations ?? [])],
    facts: [firstFact(spec.estate, firsts), ...(snapshot?.facts ?? [])],
  });
}

async function missingOwnerships(deps: ControllerDeps) {
  const known: Held<{ index: string }>[] = await readOwnerships(deps.store);
  return initialOwnerships(deps.spec).filter(
    ({ index }) => !known.some(({ value }) => value.index === index),
  );
}

async function firstSnapshot(
  deps: ControllerDeps,
  intents: Parameters<typeof nextSnapshot>[2]["intents"],
) {
  const current = await readSnapshot(deps.store);
  if (current !== null) return null;
  return nextSnapshot(deps, null, { intents, because: "the first snapshot of this estate" }).write;
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
