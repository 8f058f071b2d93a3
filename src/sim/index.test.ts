import assert from "node:assert/strict";
import { it } from "node:test";
import { indexContract } from "../../test/contract/index.ts";
import { type Damage, upsert, vector } from "../../test/contract/index-support.ts";
import type { StoredRecord } from "../model/record.ts";
import type { IndexStore } from "../ports/index.ts";
import { MemoryIndex } from "./index.ts";

async function spoiled(): Promise<MemoryIndex> {
  const index = new MemoryIndex();
  await index.append(1, [upsert("a")]);
  index.spoil("disk gone");
  return index;
}

const DAMAGES: Readonly<Record<Damage, Partial<StoredRecord> | null>> = {
  text: { text: "damaged" },
  vector: { vector: new Uint8Array(vector(0, 0, 1).buffer) },
  audience: { audience: "bolt" },
  lost: null,
};

async function damage(index: IndexStore, id: string, how: Damage): Promise<void> {
  assert.ok(index instanceof MemoryIndex);
  index.tamper(id, DAMAGES[how]);
}

const keyed = async (key: Uint8Array) => new MemoryIndex(key);
const make = async () => ({ fresh: async () => new MemoryIndex(), keyed, damage, spoiled });
indexContract("memory", make, { durable: false });

it("is as it was when the fault is mended", async () => {
  const index = await spoiled();
  index.mend();
  assert.equal((await index.position()).seq, 1);
});

it("gives copies, so that nobody can change its log from outside", async () => {
  const index = new MemoryIndex();
  await index.append(1, [upsert("a")]);
  for (const entry of await index.entriesAfter(0, 1)) entry.text = "changed";
  const one = await index.entryAt(1);
  assert.notEqual(one?.text, "changed");
});
