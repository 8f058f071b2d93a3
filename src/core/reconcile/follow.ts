import { TideoverError } from "../../lib/errors.ts";
import type { LogEntry } from "../../model/change.ts";
import type { Epoch } from "../../model/ids.ts";
import type { IndexStanding } from "../../model/index-health.ts";
import type { Position } from "../../model/position.ts";
import type { StoredRecord } from "../../model/record.ts";
import { type DigestKey, recordDigest } from "./digest.ts";

/** What every index refuses, in one wording: what `ports/index.ts` says of each call. */

/** What is compared of entries that are there already. */
export type Word = Pick<LogEntry, "epoch" | "digestAfter">;

/** Throws EPOCH_STALE when an append comes under an epoch below the highest that was seen. */
export function refuseStale(seen: Epoch, epoch: Epoch): void {
  if (epoch >= Math.max(1, seen)) return;
  throw new TideoverError(`append under epoch ${epoch}, but this index has seen ${seen}`, {
    code: "EPOCH_STALE",
    next: "Stop writing: another region owns this index now. Follow it as a replica.",
  });
}

/** A resend is harmless only when it says what we hold; else one of us has another history. */
export function refuseOther(held: Word | null, entry: LogEntry): void {
  if (held?.digestAfter === entry.digestAfter) return;
  throw diverged(`entry ${entry.seq} is another one here`);
}

/** `before`: the last entry that is held; null when the log does not hold it. */
export function refuseGap(seq: number, before: Pick<Word, "epoch"> | null, entry: LogEntry): void {
  if (entry.seq !== seq + 1) {
    throw diverged(`entry ${entry.seq} does not follow on from seq ${seq}`);
  }
  // Epochs never fall along an owner's log, since it refuses its own appends under a lower one.
  // This entry was written by an owner that was replaced before our last one was.
  if (before !== null && entry.epoch < before.epoch) {
    throw diverged(`entry ${entry.seq} of epoch ${entry.epoch} comes after epoch ${before.epoch}`);
  }
}

/** `digest`: what applying the entry led to. */
export function refuseDigest(entry: LogEntry, digest: string): void {
  if (digest === entry.digestAfter) return;
  throw diverged(
    `entry ${entry.seq} gives digest ${digest} here and ${entry.digestAfter} at its source`,
  );
}

/** `at`: what a repair was thought out for. */
export function refuseMoved({ seq, digest }: Position, at: Position): void {
  if (seq === at.seq && digest === at.digest) return;
  throw diverged(`it stands at ${seq} (${digest}), and is to be repaired as of ${at.seq}`);
}

/** Throws INDEX_DIVERGED when a log that begins above `base` is to go back to before that. */
export function refuseBelow(base: number, seq: number): void {
  if (seq >= base) return;
  throw diverged(`its log begins above ${base}, so it cannot go back to ${seq}`);
}

/** Three microseconds a record: what was altered is found before it is told or taken over. */
export function refuseDamaged(record: StoredRecord, key: DigestKey): void {
  if (recordDigest(record, key) !== record.digest) throw corrupt(record.id);
}

/** `proving`: see IndexQuery. */
export function refuseUnanswering(standing: IndexStanding, proving = false): void {
  if (standing.kind === "whole" || standing.kind === "partial") return;
  if (proving && standing.kind === "quarantined") return;
  const because = standing.kind === "quarantined" ? standing.because : "it is being restored";
  throw new TideoverError(`this copy of the index answers nobody: ${because}`, {
    code: "INDEX_QUARANTINED",
    retry: "later",
    next: "Ask another region; this one answers again when its copy is repaired and proven.",
  });
}

export function highestEpoch(epoch: Epoch, entries: readonly LogEntry[]): Epoch {
  return entries.reduce((most, entry) => Math.max(most, entry.epoch), epoch);
}

export function diverged(fault: string): TideoverError {
  return new TideoverError(`index has diverged: ${fault}`, {
    code: "INDEX_DIVERGED",
    next: "Rewind to the last entry in common with the owner, then pull from there.",
  });
}

function corrupt(id: string): TideoverError {
  return new TideoverError(`record "${id}" of the index is not what was written`, {
    code: "INDEX_CORRUPT",
    retry: "later",
    next: "Run `tideover index verify`; it names what is damaged and how to repair it.",
  });
}
