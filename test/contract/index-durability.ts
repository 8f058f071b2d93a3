import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { addDigest, recordDigest } from "../../src/core/reconcile/digest.ts";
import { EMPTY_DIGEST } from "../../src/model/position.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import { ALL, type MakeIndex, restoreFrom } from "./index-support.ts";
import { provesWhole } from "./index-whole.ts";

const WRITER = fileURLToPath(new URL("./index-writer.ts", import.meta.url));

/** What the writing process says after each turn that returned. */
interface Acknowledged {
  readonly seq: number;
  readonly orphans: number;
  readonly turn: number;
}

/** The index as a killed process left it, and the last that the process said. */
interface Left {
  readonly index: IndexStore;
  readonly last: Acknowledged;
}

/** Kills a writer after its 1st, 4th and 11th word, and looks each time at what it left. */
async function killThrice(
  make: MakeIndex,
  t: TestContext,
  mode: string,
  look: (left: Left) => Promise<void>,
): Promise<void> {
  const { durable } = await make(t);
  assert.ok(durable);
  for (const count of [1, 4, 11]) {
    const place = await durable.place();
    const job = JSON.stringify({ module: durable.module, open: durable.open, place, mode });
    const writer = spawn(process.execPath, [WRITER, job], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => writer.kill("SIGKILL"));
    const last = await killAfter(writer, count);
    const index = await durable.reopen(place);
    await look({ index, last });
    await index.close();
  }
}

/** Kills the writer right after its `count`th word, and gives the last word that it got out. */
async function killAfter(writer: ChildProcess, count: number): Promise<Acknowledged> {
  assert.ok(writer.stdout);
  const ended = once(writer, "exit");
  let last: Acknowledged | undefined;
  let heard = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    last = JSON.parse(line) as Acknowledged;
    heard += 1;
    // It writes on without waiting for us, so that the signal falls in the middle of a call.
    if (heard === count) writer.kill("SIGKILL");
  }
  const [, signal] = await ended;
  assert.equal(signal, "SIGKILL");
  assert.ok(last);
  return last;
}

export function provesDurability(make: MakeIndex): void {
  for (const mode of ["append", "apply", "rewind", "trim"]) {
    it(`is whole and has all it acknowledged after a kill during ${mode}`, async (t) => {
      await killThrice(make, t, mode, async ({ index, last }) => {
        const { position } = await provesWhole(index);
        const orphans = (await index.orphans()).length;
        // At most the one call that was under way can have come in besides.
        const kept = position.seq + orphans;
        assert.ok(kept >= last.seq + last.orphans, "an acknowledged write is gone");
        assert.equal(kept % 5, 0, "a batch of 5 was cut");
        assert.equal((await index.append(9, [])).seq, position.seq, "it can be written again");
      });
    });
  }

  it("is mended whole, or not at all, after a kill during repair", async (t) => {
    await killThrice(make, t, "repair", async ({ index, last }) => {
      assert.ok((await turnOf(index)) >= last.turn, "an acknowledged repair is gone");
      const marks = await index.marks(ALL);
      const sum = marks.reduce((total, { digest }) => addDigest(total, digest), EMPTY_DIGEST);
      assert.deepEqual(await index.sums([ALL], 0), [{ ...ALL, count: 30, digest: sum }]);
    });
  });

  for (const mode of ["restore", "hot restore"]) {
    it(`has one snapshot's contents, never parts of two, after a kill during ${mode}`, async (t) => {
      await killThrice(make, t, mode, async ({ index, last }) => {
        const { kind } = await index.standing();
        assert.ok(kind === "whole" || kind === "restoring", kind);
        if (kind === "whole") {
          assert.ok((await turnOf(index)) >= last.turn, "an acknowledged restore is gone");
          await provesWhole(index);
        }
        const next = await (await make(t)).fresh();
        await next.append(1, []);
        await restoreFrom(index, next);
        await provesWhole(index);
      });
    });
  }
}

/** The one turn that wrote all thirty records. */
async function turnOf(index: IndexStore): Promise<number> {
  const records = await index.recordsIn(ALL);
  assert.equal(records.length, 30);
  for (const record of records) assert.equal(recordDigest(record), record.digest);
  const turns = new Set(records.map(({ text }) => text));
  assert.equal(turns.size, 1, [...turns].join(" and "));
  return Number([...turns][0]?.slice("turn ".length));
}
