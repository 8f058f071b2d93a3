import { type DigestKey, recordDigest } from "../../core/reconcile/digest.ts";
import type { LogEntry } from "../../model/change.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { LocalIndex } from "../local-index.ts";

const PAGE = 500;

/**
 * Records as our own log last wrote them, up to `seq`; none for an id that was deleted, or whose
 * entry the log no longer holds. Reads the log backwards, until all are found.
 */
export async function recordsFromLog(
  { store }: LocalIndex,
  ids: readonly string[],
  seq: number,
  key: DigestKey,
): Promise<StoredRecord[]> {
  const open = new Set(ids);
  const found: StoredRecord[] = [];
  const base = await store.base();
  for (let upTo = seq; upTo > base && open.size > 0; upTo -= PAGE) {
    const after = Math.max(base, upTo - PAGE);
    const entries = await store.entriesAfter(after, upTo - after);
    for (const entry of entries.reverse()) {
      if (entry.op === "watermark" || !open.delete(entry.id)) continue;
      if (entry.op === "upsert") found.push(recordOf(entry, key));
    }
  }
  return found;
}

function recordOf(entry: LogEntry, key: DigestKey): StoredRecord {
  const { id, audience, labels, embedding, title, text, payload } = entry;
  const vector = Uint8Array.from(Buffer.from(entry.vector, "base64"));
  const contents = { id, audience, labels, embedding, vector, title, text, payload };
  return { ...contents, digest: recordDigest(contents, key) };
}
