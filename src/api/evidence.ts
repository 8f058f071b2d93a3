import { type Evidence, evidenceSchema } from "../model/evidence.ts";
import { KEYS } from "../model/keys.ts";
import type { Store } from "../ports/store.ts";

/** Above this many entries one listing is cheaper than asking for each. */
const FEW = 200;

/**
 * Entries of the record with a seq above `after`, in order. The newest few, which is what people
 * and followers ask for, are read one by one: the record may hold many thousands.
 */
export async function readEvidence(store: Store, after: number): Promise<Evidence[]> {
  const newest = await newestSeq(store);
  if (newest - after > FEW) {
    const entries = await store.list(KEYS.evidences);
    return entries.flatMap(({ value }) => parsed(value)).filter(({ seq }) => seq > after);
  }
  // A caller may send any number: the keys that are asked for must be whole ones all the same.
  const first = Math.max(0, Math.floor(after)) + 1;
  const wanted = Array.from({ length: Math.max(0, newest - first + 1) }, (_, n) => first + n);
  const entries = await Promise.all(wanted.map((seq) => store.get(KEYS.evidence(seq))));
  return entries.flatMap((entry) => parsed(entry?.value));
}

/** The newest `count` entries, in order. */
export async function readNewestEvidence(store: Store, count: number): Promise<Evidence[]> {
  return readEvidence(store, Math.max(0, (await newestSeq(store)) - count));
}

async function newestSeq(store: Store): Promise<number> {
  const head = await store.get(KEYS.evidenceHead);
  return parsed(head?.value)[0]?.seq ?? 0;
}

function parsed(value: unknown): Evidence[] {
  const { data } = evidenceSchema.safeParse(value);
  return data ? [data] : [];
}
