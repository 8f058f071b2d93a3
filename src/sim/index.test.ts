import assert from "node:assert/strict";
import { it } from "node:test";
import { indexContract } from "../../test/contract/index.ts";
import { upsert } from "../../test/contract/index-support.ts";
import { MemoryIndex } from "./index.ts";

async function spoiled(): Promise<MemoryIndex> {
  const index = new MemoryIndex();
  await index.append(1, [upsert("a")]);
  index.spoil("disk gone");
  return index;
}

indexContract("memory", async () => ({ fresh: async () => new MemoryIndex(), spoiled }), {
  durable: false,
});

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
