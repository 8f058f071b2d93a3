import { canonicalJson, digestOf } from "../../lib/canonical.ts";
import type { Evidence } from "../../model/evidence.ts";

/** `previous` of the first entry of every chain. */
export const GENESIS = "0".repeat(64);

/** What a caller says about an event; the chain adds number, link and hash. */
export type EvidenceFacts = Omit<Evidence, "seq" | "previous" | "hash">;

/** Where a chain ends: kept apart from the entries, so that a cut tail is noticed. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

export type ChainJudgement =
  | { readonly ok: true }
  /** `seq` is the first number at which the record cannot be trusted. */
  | { readonly ok: false; readonly seq: number; readonly because: string };

/**
 * The next entry of the chain after `previous` (null: the first). Pure: the caller must write it
 * and the head in one commit that compares the head, or two writers would make two entries of one
 * number. Throws TypeError when `data` holds what JSON cannot say, such as NaN.
 */
export function chainEntry(previous: Evidence | null, entry: EvidenceFacts): Evidence {
  const { at, kind, workflow, planId, text } = entry;
  const body = {
    at,
    kind,
    workflow,
    planId,
    text,
    // As the store will give it back: an `undefined` member would vanish there, and an entry that
    // differs from its stored self would be called tampered for ever.
    data: asStored(entry.data),
    seq: previous === null ? 1 : previous.seq + 1,
    previous: previous === null ? GENESIS : previous.hash,
  };
  return { ...body, hash: hashOf(body) };
}

/**
 * Whether a complete record, from its first entry on, is as it was written.
 *
 * Safety argument: an entry's hash covers every other member, `previous` among them, and `previous`
 * is the hash of the entry before. So a changed member breaks its own hash; a hash made anew breaks
 * the next link; a dropped, doubled or swapped entry breaks the count. Only a cut tail, or a chain
 * written anew from some entry to its end, leaves no trace inside: give `head` (kept elsewhere: in
 * the store's own key, in a report that was handed out) and these are found too.
 */
export function verifyChain(entries: readonly Evidence[], head?: ChainHead): ChainJudgement {
  let link = GENESIS;
  for (const [index, entry] of entries.entries()) {
    const because = faultOf(entry, index + 1, link);
    if (because !== null) return { ok: false, seq: index + 1, because };
    link = entry.hash;
  }
  return head === undefined ? { ok: true } : verifyHead(entries.length, link, head);
}

function faultOf(entry: Evidence, seq: number, link: string): string | null {
  if (entry.seq !== seq)
    return `entry ${seq} is missing or out of place: entry ${entry.seq} stands there`;
  if (entry.previous !== link)
    return `entry ${seq} does not follow the entry before it: it names another one`;
  const { hash, ...body } = entry;
  return hashOf(body) === hash ? null : `entry ${seq} was changed after it was written`;
}

function verifyHead(length: number, link: string, head: ChainHead): ChainJudgement {
  if (length !== head.seq) {
    const seq = Math.min(length, head.seq) + 1;
    return { ok: false, seq, because: `the record has ${length} entries and its head ${head.seq}` };
  }
  if (link === head.hash) return { ok: true };
  return { ok: false, seq: length, because: `entry ${length} is not the one that the head names` };
}

/** 64 hex digits. Any member beside the known ones takes part, so that none can be slipped in. */
function hashOf(body: Omit<Evidence, "hash">): string {
  return digestOf(body).slice("sha256:".length);
}

function asStored(data: Evidence["data"]): Evidence["data"] {
  return JSON.parse(canonicalJson(data));
}
