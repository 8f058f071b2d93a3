import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { embedded, INDEX } from "../../../test/support/agent-world.ts";
import { bareWorld } from "../../../test/support/bare-world.ts";
import { rangeKey } from "../../core/reconcile/digest.ts";
import type { AuditRecord } from "../../model/audit.ts";
import { MemoryIndex } from "../../sim/index.ts";
import { scrubSome } from "./scrub.ts";

const COUNT = 3_000;
const names = Array.from({ length: COUNT }, (_, at) => `d${at}`);
/** The pass comes by these last. */
const [LAST = "", ...OTHERS] = names.toSorted((a, b) => rangeKey(b) - rangeKey(a));

function answered(sources: readonly string[], requestId = "r1"): AuditRecord {
  return {
    ...{ at: 0, requestId, region: "us-east", tenant: "acme", workflow: "rag-search", epoch: 1 },
    ...{
      snapshot: 1,
      mode: "normal",
      releaseDigest: "sha256:1",
      promptVersion: null,
      watermark: null,
    },
    ...{ sources: [...sources], forwardedTo: null, target: null, attempts: [], status: 200 },
    ...{ outcome: "complete", promptTokens: null, completionTokens: null, tookMs: 1 },
  };
}

async function copyWith(records: () => readonly AuditRecord[], monotonic = () => 0) {
  const store = new MemoryIndex();
  await store.append(
    1,
    names.map((name) => embedded(name)),
  );
  const traffic = {
    async *newest() {
      yield* records();
    },
  };
  const world = bareWorld(store, { monotonic, traffic });
  return { store, world, local: world.index(INDEX) };
}

describe("a large copy", () => {
  it("is looked at where callers ask first, wherever the pass is", async () => {
    const { store, world, local } = await copyWith(() => [answered([LAST])]);
    assert.deepEqual((await scrubSome(world, local)).findings, []);
    store.tamper(LAST, { vector: new Uint8Array(1_024).fill(1) });
    const { findings, records } = await scrubSome(world, local);
    assert.deepEqual(
      findings.map((finding) => finding.kind),
      ["altered"],
    );
    assert.ok(records < COUNT / 4, `${records} records were read for that`);
  });

  it("misses there what was lost as well, which no search can meet", async () => {
    const { store, world, local } = await copyWith(() => [answered([LAST])]);
    store.tamper(LAST, null);
    const { findings } = await scrubSome(world, local);
    assert.deepEqual(
      findings.map((finding) => finding.kind),
      ["sum"],
    );
  });

  it("finds it in the course of its pass where nobody asks", async () => {
    const { store, world, local } = await copyWith(() => [answered([LAST], "canary-us-east-1-1")]);
    store.tamper(LAST, { text: "altered" });
    const found: number[] = [];
    for (let turn = 0; turn < 13 && found.length === 0; turn += 1) {
      if ((await scrubSome(world, local)).findings.length > 0) found.push(turn);
    }
    assert.ok((found[0] ?? 0) > 5, `in turn ${found[0]}`);
  });

  it("takes turns with what is asked for, and reads it from the log once a minute", async () => {
    let [now, reads] = [0, 0];
    const hot = OTHERS.slice(0, 40);
    const log = () => {
      reads += 1;
      return hot.map((id) => answered([id]));
    };
    const { store, world, local } = await copyWith(log, () => now);
    store.tamper(hot.at(-1) ?? "", { text: "altered" });
    const found: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      if ((await scrubSome(world, local)).findings.length > 0) found.push(turn);
    }
    assert.deepEqual([found.length, reads], [1, 1], "each is looked at once in three turns");
    now = 60_000;
    await scrubSome(world, local);
    assert.equal(reads, 2);
  });

  it("is looked at all the same when the log cannot be read", async () => {
    const { world, local } = await copyWith(() => {
      throw new Error("the disk is gone");
    });
    assert.ok((await scrubSome(world, local)).records >= 256);
  });
});
