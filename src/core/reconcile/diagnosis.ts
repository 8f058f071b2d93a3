import type { IndexFault, IndexFaultKind } from "../../model/index-health.ts";
import { versionNames } from "../../model/vectors.ts";

/** What was measured of one copy of an index. What could not be measured is null. */
export interface IndexMeasures {
  /** Records that there should be, and that there are. */
  readonly count: { readonly expected: number; readonly found: number };
  /** Records whose contents are not those that were written. */
  readonly altered: AlteredRecords;
  /** false: the digests kept here do not make up the position, or are not the owner's. */
  readonly digestsEqual: boolean;
  /** Records looked at, by their `embedding`. */
  readonly embeddings: Readonly<Record<string, number>>;
  /** The version that questions are embedded with; null when no release says so. */
  readonly embedding: string | null;
  /** Share of the exact search's results that the approximate one finds. */
  readonly recall: Share | null;
  /** Share of golden questions whose document is found. */
  readonly golden: Share | null;
  /** Documents of one tenant that a search on behalf of another one gave. */
  readonly leaks: readonly { readonly document: string; readonly to: string }[];
  /** Canaries that their own tenant does not find. */
  readonly hidden: readonly { readonly document: string; readonly from: string }[];
}

export interface AlteredRecords {
  readonly ids: readonly string[];
  /** In how many of them each field differs; null when there was nothing to compare them with. */
  readonly fields: Readonly<Partial<Record<RecordField, number>>> | null;
}

export const RECORD_FIELDS = [
  ...(["audience", "labels", "embedding", "vector", "title", "text", "payload"] as const),
] as const;
export type RecordField = (typeof RECORD_FIELDS)[number];

export interface Share {
  readonly value: number;
  /** Questions that it rests on. */
  readonly of: number;
  readonly least: number;
}

interface Rule {
  readonly kind: IndexFaultKind;
  /** The sentence with the figures when it holds; null when it does not. */
  readonly holds: (measures: IndexMeasures) => string | null;
}

/** Below this, next to nothing is found: that is no matter of a few bad records. */
const NEAR_ZERO = 0.2;
/** No disk alters the vectors of nearly all records and not one byte of anything else. */
const NEARLY_ALL = 0.9;

/**
 * The closed table, the gravest first: what holds first is the fault. What may be shown to the wrong
 * tenant comes before all; then what the names and the counts say; then contents, then the graph,
 * and last what only the answers show, for a low score has all the others among its causes.
 */
const RULES: readonly Rule[] = [
  { kind: "authorization", holds: leaked },
  { kind: "authorization", holds: accessAltered },
  { kind: "loss", holds: lost },
  { kind: "embedding-skew", holds: namedOtherwise },
  { kind: "embedding-skew", holds: vectorsReplaced },
  { kind: "corruption", holds: altered },
  { kind: "corruption", holds: otherDigests },
  { kind: "graph-fault", holds: notFound },
  { kind: "embedding-skew", holds: foundButWrong },
  { kind: "authorization", holds: hiddenFromOwn },
];

/** What is wrong with a copy, and by which figures; null when nothing is. */
export function diagnose(measures: IndexMeasures): IndexFault | null {
  for (const { kind, holds } of RULES) {
    const because = holds(measures);
    if (because !== null) return { kind, because };
  }
  return null;
}

function leaked({ leaks }: IndexMeasures): string | null {
  const [leak] = leaks;
  return leak === undefined
    ? null
    : `a search for ${leak.to} gives ${leak.document}, which is not theirs`;
}

function accessAltered({ altered: { ids, fields } }: IndexMeasures): string | null {
  const audience = fields?.audience ?? 0;
  const labels = fields?.labels ?? 0;
  if (audience + labels === 0) return null;
  return `who may see them was changed in ${Math.max(audience, labels)} of ${ids.length} altered records (${first(ids)})`;
}

function lost({ count: { expected, found } }: IndexMeasures): string | null {
  if (found >= expected) return null;
  return `${expected - found} of ${expected} records are missing (${percent((expected - found) / expected)})`;
}

function namedOtherwise({ embeddings, embedding, altered }: IndexMeasures): string | null {
  const versions = Object.entries(embeddings);
  const all = versions.reduce((sum, [, count]) => sum + count, 0);
  const foreign = versions.filter(
    ([held]) => embedding !== null && !versionNames(held).includes(embedding),
  );
  const others = foreign.reduce((sum, [, count]) => sum + count, 0);
  if (others > 0) {
    const names = namesOf(foreign).join(", ");
    return `${others} of ${all} records are embedded as ${names}, questions as ${embedding}`;
  }
  if (embedding === null && isMixed(versions)) {
    return `the ${all} records are embedded as ${namesOf(versions).join(" and ")}`;
  }
  const renamed = altered.fields?.embedding ?? 0;
  return renamed === 0
    ? null
    : `${renamed} records name another embedding version than was written`;
}

type Counted = readonly (readonly [embedding: string, records: number])[];

function namesOf(counted: Counted): string[] {
  return [...new Set(counted.flatMap(([embedding]) => versionNames(embedding)))];
}

/** There is no version that all of them have a vector of. */
function isMixed(counted: Counted): boolean {
  const sets = counted.map(([embedding]) => versionNames(embedding));
  return sets.length > 0 && !sets[0]?.some((one) => sets.every((names) => names.includes(one)));
}

function vectorsReplaced({ altered, count, golden }: IndexMeasures): string | null {
  const { vector = 0, ...others } = altered.fields ?? {};
  const onlyVectors = Object.values(others).every((changed) => changed === 0);
  if (!onlyVectors || vector === 0 || vector < NEARLY_ALL * count.found) return null;
  const scored = golden === null ? "" : `, and golden questions find ${percent(golden.value)}`;
  return `the vectors of ${vector} of ${count.found} records are others than were written, and nothing else of them is${scored}`;
}

function altered({ altered: { ids, fields }, count }: IndexMeasures): string | null {
  if (ids.length === 0) return null;
  const where = Object.entries(fields ?? {}).flatMap(([field, changed]) =>
    changed === 0 ? [] : [`${field} of ${changed}`],
  );
  const which = where.length === 0 ? "" : `; changed: ${where.join(", ")}`;
  return `${ids.length} of ${count.found} records are not what was written (${first(ids)})${which}`;
}

function otherDigests({ digestsEqual, count }: IndexMeasures): string | null {
  if (count.found > count.expected) {
    return `there are ${count.found} records, and ${count.expected} were written`;
  }
  return digestsEqual
    ? null
    : `its ${count.found} records are as many as were written, and not the same`;
}

function notFound({ recall }: IndexMeasures): string | null {
  if (recall === null || recall.value >= recall.least) return null;
  return `the approximate search finds ${percent(recall.value)} of what an exact one finds (${recall.of} questions, ${percent(recall.least)} is the least)`;
}

function foundButWrong({ golden, recall }: IndexMeasures): string | null {
  if (golden === null || golden.of === 0 || golden.value >= Math.min(NEAR_ZERO, golden.least)) {
    return null;
  }
  const found =
    recall === null ? "searches find what is there" : `recall is ${percent(recall.value)}`;
  return `${found}, and ${golden.of} golden questions find ${percent(golden.value)}: the vectors are of another model than the questions'`;
}

function hiddenFromOwn({ hidden }: IndexMeasures): string | null {
  const [one] = hidden;
  return one === undefined ? null : `${one.from} does not find its own ${one.document}`;
}

function first(ids: readonly string[]): string {
  return ids.length > 1 ? `${ids[0]} and others` : (ids[0] ?? "");
}

function percent(share: number): string {
  const value = share * 100;
  return `${value >= 99.95 || value === 0 ? Math.round(value) : value.toFixed(value < 1 ? 2 : 1)} %`;
}
