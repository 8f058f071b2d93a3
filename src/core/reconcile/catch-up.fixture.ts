import assert from "node:assert/strict";
import fc from "fast-check";
import type { LogMark } from "../../model/change.ts";
import { EMPTY_DIGEST, type Position } from "../../model/position.ts";
import { findCommon, type Move, type MoveInput, nextMove } from "./catch-up.ts";
import { addDigest, recordDigest, removeDigest } from "./digest.ts";

/** An index reduced to what catching up is about: a log of "document = value". */
export interface Entry extends LogMark {
  readonly id: string;
  readonly value: string;
}

export interface Node {
  /** Above `base`. */
  log: Entry[];
  base: number;
  /** The records at `base`. */
  below: ReadonlyMap<string, string>;
  /** All that the records came from, trimmed or not: what the tests compare with. */
  history: Entry[];
  readonly orphans: Entry[];
  /** Highest epoch seen, and the one it was given itself (0: never owner). */
  seen: number;
  owns: number;
}

export const newNode = (): Node => ({
  ...{ log: [], base: 0, below: new Map(), history: [] },
  ...{ orphans: [], seen: 0, owns: 0 },
});

export function contents({ below, log }: Pick<Node, "below" | "log">): Map<string, string> {
  return new Map([...below, ...log.map(({ id, value }) => [id, value] as const)]);
}

function seqOf({ base, log }: Node): number {
  return base + log.length;
}

export function at({ base, log }: Node, seq: number): Entry | null {
  return log[seq - base - 1] ?? null;
}

function digestOf(id: string, text: string): string {
  const vector = new Uint8Array(0);
  const none = { audience: "", labels: [], embedding: "", title: "", payload: {} };
  return recordDigest({ ...none, id, text, vector });
}

export function position(node: Node): Position {
  const records = contents(node);
  return { seq: seqOf(node), digest: sumOf(records), sourceTime: 0, count: records.size };
}

export function baseDigest({ below }: Node): string {
  return sumOf(below);
}

function sumOf(records: ReadonlyMap<string, string>): string {
  return [...records].reduce(
    (sum, [id, value]) => addDigest(sum, digestOf(id, value)),
    EMPTY_DIGEST,
  );
}

/** Appends as long as the node has not seen a newer owner: a cut-off old owner goes on writing. */
function append(node: Node, id: string, value: string): void {
  if (node.owns === 0 || node.owns < node.seen) return;
  const old = contents(node).get(id);
  const before = position(node).digest;
  const without = old === undefined ? before : removeDigest(before, digestOf(id, old));
  const digestAfter = addDigest(without, digestOf(id, value));
  take(node, { seq: seqOf(node) + 1, epoch: node.owns, digestAfter, id, value });
}

function take(node: Node, entry: Entry): void {
  node.log.push(entry);
  node.history.push(entry);
}

/** Forgets the log up to a snapshot, but for its newest entry. */
function trim(node: Node, seq: number): void {
  const to = Math.min(seq, seqOf(node) - 1);
  if (to <= node.base) return;
  const gone = node.log.splice(0, to - node.base);
  node.below = contents({ below: node.below, log: gone });
  node.base = to;
}

function rewindTo(node: Node, seq: number): void {
  assert.ok(seq >= node.base, "a rewind below the base is not possible");
  node.orphans.push(...node.log.splice(seq - node.base));
  node.history.splice(seq);
}

export function standings(own: Node, owner: Node): MoveInput {
  const seq = seqOf(own);
  return {
    own: { position: position(own), base: own.base, epoch: own.seen, last: at(own, seq) },
    owner: {
      position: position(owner),
      base: owner.base,
      epoch: owner.owns,
      atOurSeq: at(owner, seq),
    },
  };
}

export function search(own: Node, owner: Node): { common: number; questions: number } {
  const upTo = Math.min(seqOf(own), seqOf(owner));
  const steps = findCommon(upTo, Math.max(own.base, owner.base));
  let step = steps.next();
  let questions = 0;
  while (!step.done) {
    step = steps.next({ own: at(own, step.value), owner: at(owner, step.value) });
    questions += 1;
  }
  return { common: step.value, questions };
}

/** Obeys one move. Gives false when there is nothing more to do. */
export function follow(move: Move, own: Node, owner: Node, limit: number): boolean {
  if (move.move === "level" || move.move === "refuse") return false;
  own.seen = Math.max(own.seen, owner.owns);
  if (move.move === "pull") pull(own, owner, move.after, limit);
  else if (move.move === "rewind") {
    rewindTo(own, move.to === "search" ? search(own, owner).common : move.to);
  } else {
    if (move.aside) rewindTo(own, own.base);
    restore(own, owner);
  }
  return true;
}

/** An entry that does not give the digest that it should is refused, as `apply` does. */
function pull(own: Node, owner: Node, after: number, limit: number): void {
  for (let seq = after + 1; seq <= Math.min(after + limit, seqOf(owner)); seq += 1) {
    const entry = at(owner, seq);
    assert.ok(entry);
    take(own, entry);
    if (position(own).digest === entry.digestAfter) continue;
    own.log.pop();
    own.history.pop();
    const last = at(own, after);
    if (last !== null && last.epoch < owner.owns) rewindTo(own, own.base);
    restore(own, owner);
    return;
  }
}

/** By a snapshot of the owner's records at the begin of its log. */
function restore(own: Node, owner: Node): void {
  own.log = [];
  own.base = owner.base;
  own.below = owner.below;
  own.history = owner.history.slice(0, owner.base);
}

type Event =
  | { readonly do: "promote"; readonly node: number }
  | { readonly do: "append"; readonly node: number; readonly id: string; readonly value: string }
  | { readonly do: "trim"; readonly node: number; readonly keep: number }
  /** Follows the current owner for some moves of a few entries each, then is cut off again. */
  | { readonly do: "sync"; readonly node: number; readonly moves: number; readonly limit: number };

export const who = fc.nat({ max: 2 });
// Few documents and values: tails that differ in history but not in contents come up all the time.
const few = fc.constantFrom("a", "b");
export const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant("promote" as const), node: who }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("append" as const), node: who, id: few, value: few }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...{ do: fc.constant("trim" as const), node: who },
      keep: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("sync" as const),
      node: who,
      moves: fc.integer({ min: 1, max: 3 }),
      limit: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

interface World {
  readonly nodes: readonly Node[];
  owner: Node;
  epoch: number;
}

function promote(world: World, node: Node): void {
  world.epoch += 1;
  world.owner = node;
  node.owns = world.epoch;
  node.seen = world.epoch;
}

function happen(world: World, event: Event): void {
  const node = world.nodes[event.node];
  assert.ok(node);
  if (event.do === "promote") promote(world, node);
  else if (event.do === "append") append(node, event.id, event.value);
  else if (event.do === "trim") trim(node, seqOf(node) - event.keep);
  else if (node !== world.owner) {
    for (let turn = 0; turn < event.moves; turn++) {
      follow(nextMove(standings(node, world.owner)), node, world.owner, event.limit);
    }
  }
}

export function history(events: readonly Event[]): World {
  const first = newNode();
  const world: World = { nodes: [first, newNode(), newNode()], owner: first, epoch: 0 };
  promote(world, first);
  for (const event of events) happen(world, event);
  return world;
}
