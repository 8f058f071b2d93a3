import { EMPTY_DIGEST, type Position } from "../../model/position.ts";
import type { RangeRef, RangeSum, StoredRecord } from "../../model/record.ts";
import { addDigest, type DigestKey, rangeKey, recordDigest } from "./digest.ts";

/** What a look at one copy alone found wrong, down to the record where it can be named. */
export type Finding =
  /**
   * The record's contents are not those that its kept digest was made of. `range`: where it was
   * found, since an id that was altered leads elsewhere.
   */
  | { readonly kind: "altered"; readonly id: string; readonly range: RangeRef }
  /** The record was found in a range that its id does not belong to. */
  | { readonly kind: "misplaced"; readonly id: string; readonly range: RangeRef }
  /** The range's records are more, fewer or others than were written. */
  | { readonly kind: "sum"; readonly range: RangeRef; readonly kept: Sum; readonly found: Sum }
  /** The kept sums do not make up the position: they, or the position, were damaged. */
  | { readonly kind: "position"; readonly kept: Sum; readonly found: Sum };

export interface Sum {
  readonly count: number;
  readonly digest: string;
}

/**
 * Contents against kept digests, and kept digests against kept sums, in the parts of one range.
 *
 * `kept`: the kept sums of the range's parts, all of them and of equal bits: what is found of sums
 * is as narrow as they are. `records`: what the engine really holds there at the same moment; a write in between
 * would look like damage.
 *
 * Together with `judgePosition` nothing that was changed behind the index's back stays unseen: each
 * record is bound to its digest, the digests to the sums, the sums to the position, and the position
 * to the owner's by every entry of the log.
 */
export function judgeRange(
  range: RangeRef,
  kept: readonly RangeSum[],
  records: readonly StoredRecord[],
  key?: DigestKey,
): Finding[] {
  const found = new Map<number, Sum>();
  const findings: Finding[] = [];
  const bits = kept[0]?.bits ?? 0;
  const here = new Set(kept.map(({ prefix }) => prefix));
  for (const record of records) {
    const { prefix } = partOf(rangeKey(record.id, key), bits);
    if (!isIntact(record, key)) findings.push({ kind: "altered", id: record.id, range });
    if (!here.has(prefix)) findings.push({ kind: "misplaced", id: record.id, range });
    const sum = found.get(prefix) ?? NOTHING;
    const digest = addDigest(sum.digest, record.digest);
    found.set(prefix, { count: sum.count + 1, digest });
  }
  return [...findings, ...kept.flatMap((sum) => judgeSum(sum, found.get(sum.prefix) ?? NOTHING))];
}

const NOTHING: Sum = { count: 0, digest: EMPTY_DIGEST };

function partOf(rangeKey: number, bits: number): RangeRef {
  return { prefix: Math.floor(rangeKey / 2 ** (32 - bits)), bits };
}

function judgeSum({ prefix, bits, count, digest }: RangeSum, found: Sum): Finding[] {
  if (found.count === count && found.digest === digest) return [];
  return [{ kind: "sum", range: { prefix, bits }, kept: { count, digest }, found }];
}

/** Whether a record's contents are what its digest says. */
export function isIntact(record: StoredRecord, key?: DigestKey): boolean {
  try {
    return recordDigest(record, key) === record.digest;
  } catch {
    // Half a character, or a payload that JSON cannot say: nobody could have written that.
    return false;
  }
}

/** The kept sums of all ranges against the position. */
export function judgePosition(sums: readonly RangeSum[], { count, digest }: Position): Finding[] {
  const found = sums.reduce(
    (all, sum) => ({ count: all.count + sum.count, digest: addDigest(all.digest, sum.digest) }),
    NOTHING,
  );
  if (found.count === count && found.digest === digest) return [];
  return [{ kind: "position", kept: { count, digest }, found }];
}

/**
 * How many records are missing (above 0), or too many (below): what the sums lack to make up the
 * position, and the records to make up the sums.
 */
export function missingOf(findings: readonly Finding[]): number {
  return findings.reduce((sum, finding) => {
    if (finding.kind === "altered") return sum;
    // It lacks where it belongs, and is there all the same.
    if (finding.kind === "misplaced") return sum - 1;
    return sum + finding.kept.count - finding.found.count;
  }, 0);
}

/**
 * The ranges whose list of records is not as it was written, each once. `isLost`: of an altered
 * record, that nobody knows its original.
 */
export function suspectsOf(
  findings: readonly Finding[],
  isLost: (id: string) => boolean = () => false,
): RangeRef[] {
  const ranges = findings.flatMap((finding) => {
    if (finding.kind === "position") return [];
    return finding.kind !== "altered" || isLost(finding.id) ? [finding.range] : [];
  });
  return [...new Map(ranges.map((range) => [`${range.bits}:${range.prefix}`, range])).values()];
}

/** The records that are not what was written, each once. */
export function alteredOf(findings: readonly Finding[]): string[] {
  const ids = findings.flatMap((finding) => (finding.kind === "altered" ? [finding.id] : []));
  return [...new Set(ids)];
}

/** One sentence for people: how many of what, with the first by name. */
export function describeFindings(findings: readonly Finding[]): string {
  const altered = alteredOf(findings);
  const missing = missingOf(findings);
  const sums = findings.filter(({ kind }) => kind === "sum").length;
  const parts: string[] = [];
  if (altered.length > 0) parts.push(`altered: ${altered.length} (${named(altered)})`);
  if (missing > 0) parts.push(`missing: ${missing}`);
  if (missing < 0) parts.push(`too many: ${-missing}`);
  if (sums > 0) parts.push(`ranges that do not sum up: ${sums}`);
  if (findings.some(({ kind }) => kind === "misplaced")) {
    parts.push("records stand in a wrong range");
  }
  if (findings.some(({ kind }) => kind === "position")) {
    parts.push("the sums do not make up the position");
  }
  return parts.join(", ");
}

function named(ids: readonly string[]): string {
  const [first = "", second] = ids;
  const rest = ids.length - 2;
  return second === undefined ? first : `${first}, ${second}${rest > 0 ? ` and ${rest} more` : ""}`;
}
