import type { IndexFacts } from "../../model/index-health.ts";
import type { Position } from "../../model/position.ts";
import type { RangeSum } from "../../model/record.ts";
import type { Share } from "./diagnosis.ts";
import { describeFindings, type Finding, judgePosition } from "./scrub.ts";

/** What was seen of a copy that was repaired or restored. null: there was nothing to ask. */
export interface AcceptanceInput {
  readonly own: Position;
  /** Sums of all ranges, as kept here. */
  readonly sums: readonly RangeSum[];
  /** What a scrub of the whole copy found. */
  readonly findings: readonly Finding[];
  /** Where the owner stood at our seq; null when it did not answer, or is this copy. */
  readonly owner: {
    readonly region: string;
    readonly digest: string;
    readonly count: number;
  } | null;
  readonly recall: Share | null;
  /** Of the owner's results on golden questions, how many ours are. */
  readonly overlap: Share | null;
  readonly golden: Share | null;
  readonly canaries: readonly SeenCanary[];
  readonly facts: IndexFacts;
  readonly ownerFacts: IndexFacts | null;
}

/** A tenant's own document, searched by it and by another. */
export interface SeenCanary {
  readonly document: string;
  readonly tenant: string;
  readonly other: string;
  readonly seenByOwn: boolean;
  readonly seenByOther: boolean;
}

export interface AcceptanceCheck {
  readonly name: string;
  readonly pass: boolean;
  /** A sentence with the figures. */
  readonly evidence: string;
}

export interface Acceptance {
  readonly pass: boolean;
  readonly checks: readonly AcceptanceCheck[];
}

type Judge = (input: AcceptanceInput) => Omit<AcceptanceCheck, "name">;

/** Closed: a copy serves when every one of these holds. */
const CHECKS: readonly (readonly [name: string, judge: Judge])[] = [
  ["counts", judgeCounts],
  ["digests", judgeDigests],
  ["contents", judgeContents],
  ["recall", ({ recall }) => judgeShare(recall, "of an exact search's results")],
  ["golden-overlap", ({ overlap }) => judgeShare(overlap, "of the owner's results")],
  ["golden", ({ golden }) => judgeShare(golden, "of golden questions")],
  ["canaries", judgeCanaries],
  ["settings", judgeSettings],
  ["engine", judgeEngine],
];

/**
 * Whether a repaired or restored copy may answer again. What could not be asked passes only where
 * its absence proves nothing: no golden questions, an exact engine, another engine at the owner's.
 */
export function judgeAcceptance(input: AcceptanceInput): Acceptance {
  const checks = CHECKS.map(([name, judge]) => ({ name, ...judge(input) }));
  return { pass: checks.every(({ pass }) => pass), checks };
}

/** The names and evidence of what failed; "" when all passed. */
export function refusalOf({ checks }: Acceptance): string {
  return checks
    .filter(({ pass }) => !pass)
    .map(({ name, evidence }) => `${name}: ${evidence}`)
    .join("; ");
}

function judgeCounts({ own, sums, owner }: AcceptanceInput) {
  const held = sums.reduce((all, { count }) => all + count, 0);
  if (held !== own.count) return no(`${held} records, and the position says ${own.count}`);
  if (owner !== null && owner.count !== held) {
    return no(`${held} records, and ${owner.region} has ${owner.count}`);
  }
  return yes(`${held} records`);
}

function judgeDigests({ own, sums, owner }: AcceptanceInput) {
  const short = own.digest.slice(0, 8);
  if (judgePosition(sums, own).length > 0) return no(`the sums do not make up ${short}`);
  if (owner !== null && owner.digest !== own.digest) {
    return no(`digest ${short}, and ${owner.region} has ${owner.digest.slice(0, 8)}`);
  }
  return yes(owner === null ? `digest ${short}` : `digest ${short}, as in ${owner.region}`);
}

function judgeContents({ own, findings }: AcceptanceInput) {
  if (findings.length > 0) return no(describeFindings(findings));
  return yes(`all ${own.count} records are what was written`);
}

function judgeShare(share: Share | null, of: string) {
  if (share === null) return yes("nothing to ask");
  const figures = `${(share.value * 100).toFixed(1)} % ${of} (${share.of} questions, ${(share.least * 100).toFixed(1)} % is the least)`;
  return share.value >= share.least ? yes(figures) : no(figures);
}

function judgeCanaries({ canaries }: AcceptanceInput) {
  const leak = canaries.find(({ seenByOther }) => seenByOther);
  if (leak !== undefined) return no(`${leak.other} finds ${leak.document} of ${leak.tenant}`);
  const blind = canaries.find(({ seenByOwn }) => !seenByOwn);
  if (blind !== undefined) return no(`${blind.tenant} does not find its own ${blind.document}`);
  if (canaries.length === 0) return yes("nothing to ask");
  return yes(`${canaries.length} documents are found by their own tenants alone`);
}

function judgeSettings({ facts, ownerFacts }: AcceptanceInput) {
  if (ownerFacts === null || ownerFacts.engine !== facts.engine)
    return yes("no copy to compare with");
  const names = new Set([...Object.keys(facts.settings), ...Object.keys(ownerFacts.settings)]);
  const odd = [...names].find((name) => facts.settings[name] !== ownerFacts.settings[name]);
  if (odd === undefined) return yes(`${names.size} settings are the owner's`);
  return no(
    `${odd} is ${facts.settings[odd] ?? "not set"}, and ${ownerFacts.settings[odd] ?? "not set"} at the owner's`,
  );
}

function judgeEngine({ facts }: AcceptanceInput) {
  const [fault] = facts.faults;
  return fault === undefined ? yes(`${facts.engine} is set up well`) : no(fault);
}

function yes(evidence: string) {
  return { pass: true, evidence };
}

function no(evidence: string) {
  return { pass: false, evidence };
}
