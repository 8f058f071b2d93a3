import { sha256 } from "../lib/canonical.ts";

/**
 * A position of an index as callers and pipelines hand it around: `187`, `187:5f0c9a12b3d4` or
 * `187/3:5f0c9a12b3d4`. The number alone is ambiguous: after a failover that lost changes, the new
 * owner gives their numbers to others. What stands behind the colon says which contents the index had
 * there, and behind the slash stands the ownership under which the change was written.
 */
export interface WantedPosition {
  readonly seq: number;
  /** null: not told. */
  readonly epoch: number | null;
  /** null: the number alone, from a caller who does without proof. */
  readonly mark: string | null;
}

const WORD = /^(?<seq>\d{1,15})(?:(?:\/(?<epoch>\d{1,15}))?:(?<mark>[0-9a-f]{12}))?$/;

/** null for what is no position. */
export function readPosition(word: string): WantedPosition | null {
  const { seq, epoch, mark = null } = WORD.exec(word)?.groups ?? {};
  if (seq === undefined) return null;
  return { seq: Number(seq), epoch: epoch === undefined ? null : Number(epoch), mark };
}

/** How a position is told, with proof of its contents. `epoch` where it is known. */
export function positionWord(
  position: { readonly seq: number; readonly digest: string },
  epoch: number | null = null,
): string {
  const ownership = epoch === null ? "" : `/${epoch}`;
  return `${position.seq}${ownership}:${markOf(position.seq, position.digest)}`;
}

const MARK_DIGITS = 12;

/**
 * Not the set digest itself: from two of them in a row one could reckon the digest of the record
 * that was written in between, which may be another tenant's, and try guesses of its text against it.
 */
export function markOf(seq: number, digest: string): string {
  const hash = sha256(`tideover position\n${seq}\n${digest}`);
  return hash.slice("sha256:".length, "sha256:".length + MARK_DIGITS);
}
