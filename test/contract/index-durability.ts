import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import type { IndexStore } from "../../src/ports/index.ts";
import type { DurableIndex, MakeIndex } from "./index-support.ts";
import { provesWhole } from "./index-whole.ts";

const WRITER = fileURLToPath(new URL("./index-writer.ts", import.meta.url));

/** What the writing process says after each call that returned. */
interface Acknowledged {
  readonly seq: number;
  readonly orphans: number;
}

function startWriter(durable: DurableIndex, place: unknown, mode: string): ChildProcess {
  const job = JSON.stringify({ module: durable.module, open: durable.open, place, mode });
  return spawn(process.execPath, [WRITER, job], { stdio: ["ignore", "pipe", "inherit"] });
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
  for (const mode of ["append", "apply", "rewind"]) {
    it(`is whole and has all it acknowledged after a kill during ${mode}`, async (t) => {
      const { durable } = await make(t);
      assert.ok(durable);
      for (const count of [1, 4, 11]) {
        const place = await durable.place();
        const writer = startWriter(durable, place, mode);
        t.after(() => writer.kill("SIGKILL"));
        const last = await killAfter(writer, count);
        const index: IndexStore = await durable.reopen(place);
        const { position } = await provesWhole(index);
        const orphans = (await index.orphans()).length;
        // At most the one call that was under way can have come in besides.
        assert.ok(
          position.seq + orphans >= last.seq + last.orphans,
          "an acknowledged write is gone",
        );
        assert.equal((position.seq + orphans) % 5, 0, "a batch of 5 was cut");
        assert.equal((await index.append(9, [])).seq, position.seq, "it can be written again");
        await index.close();
      }
    });
  }
}
