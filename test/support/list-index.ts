import { floatsOf } from "../../src/core/reconcile/entry.ts";
import type { StoredRecord } from "../../src/model/record.ts";
import type { IndexHit, IndexQuery, IndexStore } from "../../src/ports/index.ts";

/** How an index of lists is built and searched: `probes` of `lists` are looked into. */
export interface ListParameters {
  readonly lists: number;
  readonly probes: number;
}

export interface ListIndex extends IndexStore {
  /** Builds the lists anew, as a careless hand would with parameters of its own. */
  rebuild(parameters: ListParameters): void;
}

interface Held {
  readonly record: StoredRecord;
  readonly floats: Float32Array;
}

/**
 * An exact index made approximate by inverted lists, as IVF engines are, so that recall depends on
 * parameters. Its contents, log and digests are the inner index's; a restore builds it as it should.
 */
export function listIndex(inner: IndexStore, good: ListParameters): ListIndex {
  let parameters = good;
  let built: Promise<Held[][]> | null = null;
  const lists = (): Promise<Held[][]> => {
    built ??= build(inner, parameters.lists);
    return built;
  };
  const changing =
    <A, B>(work: (given: A) => Promise<B>) =>
    async (given: A): Promise<B> => {
      built = null;
      return work(given).finally(() => {
        built = null;
      });
    };
  return {
    ...inner,
    apply: changing(inner.apply),
    repair: changing(inner.repair),
    restore: changing((from: Parameters<IndexStore["restore"]>[0]) => {
      parameters = good;
      return inner.restore(from);
    }),
    rebuild: (given) => {
      parameters = given;
      built = null;
    },
    facts: async () => ({ ...(await inner.facts()), engine: "lists", approximate: true }),
    search: async (query) => {
      const { kind } = await inner.standing();
      // The inner index also says who is not answered.
      if (query.exact || (kind !== "whole" && !query.proving)) return inner.search(query);
      return nearest(await lists(), query, parameters.probes);
    },
  };
}

async function build(inner: IndexStore, count: number): Promise<Held[][]> {
  const records = await inner.recordsIn({ prefix: 0, bits: 0 });
  const held = records.map((record) => ({ record, floats: floatsOf(record.vector) }));
  const step = Math.max(1, Math.floor(held.length / count));
  const lists: Held[][] = held
    .filter((_, at) => at % step === 0)
    .slice(0, count)
    .map((one) => [one]);
  const centres = lists.map(([centre]) => centre?.floats ?? new Float32Array(0));
  for (const one of held) {
    const at =
      best(
        centres.map((centre, n) => ({ n, score: dot(centre, one.floats) })),
        1,
      )[0]?.n ?? 0;
    if (lists[at]?.[0] !== one) lists[at]?.push(one);
  }
  return lists;
}

function nearest(lists: readonly Held[][], query: IndexQuery, probes: number): IndexHit[] {
  const { vector, audiences, labels = [], k } = query;
  const order = lists.map((list, n) => ({ n, score: dot(list[0]?.floats ?? vector, vector) }));
  const candidates = best(order, probes).flatMap(({ n }) => lists[n] ?? []);
  const visible = candidates.filter(
    ({ record }) =>
      audiences.includes(record.audience) && record.labels.every((label) => labels.includes(label)),
  );
  const scored = visible.map(({ record, floats }) => ({ record, score: dot(floats, vector) }));
  return best(scored, k).map(({ record: { id, title, text, audience }, score }) => {
    return { id, title, text, audience, score };
  });
}

function best<T extends { readonly score: number }>(scored: T[], most: number): T[] {
  return scored.sort((a, b) => b.score - a.score).slice(0, most);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}
