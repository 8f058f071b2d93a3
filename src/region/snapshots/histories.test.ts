import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { gapAfter } from "../../core/reconcile/gap.ts";
import { packRecords, unpackRecords } from "../../core/reconcile/packed-records.ts";
import type { Position } from "../../model/position.ts";
import type { EmbeddedChange, IndexRestore } from "../../ports/index.ts";
import { MemoryIndex } from "../../sim/index.ts";

/** A snapshot as it lies in a region: packed, in layers of two records. */
interface Kept extends Omit<IndexRestore, "records"> {
  readonly layers: readonly Buffer[];
}

type Event =
  | { readonly do: "write"; readonly id: string; readonly text: string }
  | { readonly do: "delete"; readonly id: string }
  | { readonly do: "pull"; readonly limit: number }
  | { readonly do: "snapshot" }
  | { readonly do: "trim"; readonly back: number }
  /** Of the replica, from a kept snapshot; `breaksAt`: killed before this layer. */
  | { readonly do: "restore"; readonly which: number; readonly breaksAt: number };

const id = fc.constantFrom("a", "b", "c", "d", "e");
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ do: fc.constant("write" as const), id, text: fc.constantFrom("x", "y", "z") }),
  fc.record({ do: fc.constant("delete" as const), id }),
  fc.record({ do: fc.constant("pull" as const), limit: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant("snapshot" as const) }),
  fc.record({ do: fc.constant("trim" as const), back: fc.nat(5) }),
  fc.record({ do: fc.constant("restore" as const), which: fc.nat(5), breaksAt: fc.nat(4) }),
);

function change(op: "upsert" | "delete", name: string, text: string): EmbeddedChange {
  const vector = op === "delete" ? "" : Buffer.alloc(8, text).toString("base64");
  const common = { audience: "public", labels: [], payload: {}, sourceTime: 1, embedding: "e" };
  return { op, id: name, title: "", text: op === "delete" ? "" : text, vector, ...common };
}

class Estate {
  readonly owner = new MemoryIndex();
  readonly replica = new MemoryIndex();
  readonly kept: Kept[] = [];

  async happen(event: Event): Promise<void> {
    if (event.do === "write") await this.owner.append(1, [change("upsert", event.id, event.text)]);
    else if (event.do === "delete") await this.owner.append(1, [change("delete", event.id, "")]);
    else if (event.do === "pull") await this.pull(event.limit);
    else if (event.do === "snapshot") await this.snapshot();
    else if (event.do === "trim") {
      await this.owner.trimLog((await this.owner.position()).seq - event.back);
    } else await this.restore(event.which, event.breaksAt);
  }

  async pull(limit: number): Promise<void> {
    const { seq } = await this.replica.position();
    if (seq < (await this.owner.base())) return;
    await this.replica.apply(await this.owner.entriesAfter(seq, limit));
  }

  async snapshot(): Promise<void> {
    const snapshot = await this.owner.openSnapshot();
    const layers: Buffer[] = [];
    for await (const page of snapshot.records(2)) layers.push(packRecords(page));
    const { position, epoch, watermarks } = snapshot;
    this.kept.push({ position, epoch, watermarks, layers });
  }

  async restore(which: number, breaksAt: number): Promise<void> {
    const kept = this.kept[which];
    if (kept === undefined) return;
    const word = {
      position: await this.owner.position(),
      base: await this.owner.base(),
      at: await this.owner.entryAt(kept.position.seq),
    };
    if (gapAfter(kept.position, word) !== null) return;
    const before = await contents(this.replica);
    const records = async function* () {
      for (const [at, layer] of kept.layers.entries()) {
        if (at === breaksAt) throw new Error("killed");
        yield unpackRecords(layer);
      }
    };
    const broken = breaksAt < kept.layers.length;
    const restoring = this.replica.restore({ ...kept, records: records() });
    if (!broken) return void (await restoring);
    await assert.rejects(restoring, /killed/);
    assert.deepEqual(await contents(this.replica), before, "half of a restore is seen");
  }
}

async function contents(index: MemoryIndex) {
  return { at: await index.position(), records: await index.recordsIn({ prefix: 0, bits: 0 }) };
}

function isEqual(a: Position, b: Position): boolean {
  return a.seq === b.seq && a.digest === b.digest;
}

it("has equal contents at equal positions, whatever is written, taken, trimmed, restored or broken off", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
      const estate = new Estate();
      for (const one of events) {
        await estate.happen(one);
        const [own, other] = [await contents(estate.owner), await contents(estate.replica)];
        if (isEqual(own.at, other.at)) assert.deepEqual(other.records, own.records);
      }
      // Whatever happened, a snapshot taken now and the stream make them equal.
      await estate.snapshot();
      await estate.restore(estate.kept.length - 1, Number.POSITIVE_INFINITY);
      const [own, other] = [await contents(estate.owner), await contents(estate.replica)];
      assert.deepEqual(other, own);
    }),
    { numRuns: 200 },
  );
});
