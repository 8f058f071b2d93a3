import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";
import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import { openSqliteIndex } from "../../src/adapters/index-sqlite/index.ts";
import type { IndexFaultKind } from "../../src/model/index-health.ts";
import type { StoredRecord } from "../../src/model/record.ts";
import type { EmbeddedChange, IndexStore } from "../../src/ports/index.ts";
import type { ProofQuestion } from "../../src/region/indexes/proof-question.ts";
import { createEmbedder } from "../../src/runtime/embedding.ts";
import { AGENT_PATHS } from "../../src/wire/headers.ts";
import { type AgentWorld, createAgentWorld, EMBEDDING, INDEX } from "../support/agent-world.ts";
import { cranfieldPresent, readCranfield } from "../support/cranfield.ts";
import { eventually } from "../support/estate.ts";
import { type ListIndex, listIndex } from "../support/list-index.ts";
import { readSciFact, scifactPresent } from "../support/scifact.ts";

/**
 * The detection table: every way in which a copy of an index goes bad, done to the standby's file
 * behind its agent's back. Each must be found, named rightly and cured from the owner, by the loop
 * alone; the time that each took is in the diagnostics.
 */

/** An index's source, and the same records as another embedding model would have made them. */
interface Corpus {
  readonly changes: readonly EmbeddedChange[];
  readonly otherModel: (record: { readonly id: string; readonly vector: Uint8Array }) => Uint8Array;
  readonly questions: readonly ProofQuestion[];
}

const AUDIENCES = ["public", "acme", "bolt"];
const QUESTIONS = 12;

function sciFact(): Corpus {
  const { ids, vectors, queries, judgements } = readSciFact();
  const changes = ids.map((id, at) => change(id, at, { vector: vectors[at], title: id, text: "" }));
  const asked = queries.filter(({ id }) => judgements.has(id)).slice(0, QUESTIONS);
  const questions = asked.map(({ id, vector }) => question(vector, judgements.get(id) ?? [], 0.5));
  return { changes, questions, otherModel: ({ vector }) => otherSpace(vector) };
}

function cranfield(): Corpus {
  const { documents, queries, judgements } = readCranfield();
  const embedder = createEmbedder({ salt: "v1", dimensions: 384 });
  const other = createEmbedder({ salt: "v2", dimensions: 384 });
  const textOf = new Map(documents.map(({ id, title, text }) => [id, `${title}\n${text}`]));
  const changes = documents.map(({ id, title, text }, at) => {
    const vector = Float32Array.from(embedder.embed(`${title}\n${text}`));
    return change(id, at, { vector, title, text });
  });
  const questions = queries.slice(0, QUESTIONS).map(({ id, text }) => {
    const relevant = [...(judgements.get(id) ?? new Map<string, number>()).keys()];
    return question(Float32Array.from(embedder.embed(text)), relevant, 0.4);
  });
  const otherModel: Corpus["otherModel"] = ({ id }) =>
    bytesOf(Float32Array.from(other.embed(textOf.get(id) ?? "")));
  return { changes, questions, otherModel };
}

/** Every tenth document is Acme's, for its staff only, every next one Bolt's. */
function change(
  id: string,
  at: number,
  { vector, title, text }: { vector: Float32Array | undefined; title: string; text: string },
): EmbeddedChange {
  const audience = AUDIENCES[at % 10 === 0 ? 1 : at % 10 === 1 ? 2 : 0] ?? "public";
  const common = { op: "upsert" as const, id, title, text, audience, payload: { row: at } };
  const base64 = bytesOf(vector ?? new Float32Array(0)).toString("base64");
  const labels = audience === "acme" ? ["staff"] : [];
  return { ...common, labels, sourceTime: 1_000 + at, embedding: EMBEDDING, vector: base64 };
}

function question(
  vector: Float32Array,
  documents: readonly string[],
  least: number,
): ProofQuestion {
  return { vector, embedding: EMBEDDING, audiences: AUDIENCES, k: 10, documents, least };
}

function bytesOf(vector: Float32Array): Buffer {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
}

/** The same distances among the records, and none of them to a question: another model's space. */
function otherSpace(vector: Uint8Array): Uint8Array {
  const floats = new Float32Array(Uint8Array.from(vector).buffer);
  return bytesOf(
    floats.map((_, at) => (floats[(at * 37 + 11) % floats.length] ?? 0) * (at % 3 === 0 ? -1 : 1)),
  );
}

interface Damage {
  readonly name: string;
  readonly kind: IndexFaultKind;
  readonly inflict: (db: DatabaseSync, corpus: Corpus) => void;
}

const lose = (every: number) => (db: DatabaseSync) => {
  for (const { n } of rows(db).filter((_, at) => at % every === 0)) {
    db.exec(`DELETE FROM texts WHERE n = ${n}; DELETE FROM records WHERE n = ${n}`);
  }
};

interface Row {
  readonly n: number;
  readonly id: string;
  readonly vector: Uint8Array;
}

/** By id: a repaired record has another number than it had. */
function rows(db: DatabaseSync): Row[] {
  const found = db.prepare("SELECT n, id, vector FROM records ORDER BY id").all();
  return found.map(({ n, id, vector }) => {
    if (!(vector instanceof Uint8Array)) throw new Error("a vector is no blob");
    return { n: Number(n), id: String(id), vector };
  });
}

function row(db: DatabaseSync, at: number): Row {
  const found = rows(db)[at];
  if (found === undefined) throw new Error(`there is no record ${at}`);
  return found;
}

function setVectors(db: DatabaseSync, changed: readonly Row[]): void {
  const update = db.prepare("UPDATE records SET vector = ? WHERE n = ?");
  for (const { n, vector } of changed) update.run(vector, n);
}

function reembed(db: DatabaseSync, { otherModel }: Corpus, some: readonly Row[]): void {
  setVectors(
    db,
    some.map((one) => ({ ...one, vector: otherModel(one) })),
  );
}

const DAMAGES: readonly Damage[] = [
  { name: "0.1 % lost", kind: "loss", inflict: lose(1_000) },
  { name: "1 % lost", kind: "loss", inflict: lose(100) },
  { name: "5 % lost", kind: "loss", inflict: lose(20) },
  {
    name: "1 % swapped",
    kind: "corruption",
    inflict: (db) => {
      const some = rows(db).filter((_, at) => at % 100 === 0);
      const next = some.map((row, at) => ({
        ...row,
        vector: some[(at + 1) % some.length]?.vector ?? row.vector,
      }));
      setVectors(db, next);
    },
  },
  {
    name: "one bit flipped in a vector",
    kind: "corruption",
    inflict: (db) => {
      const one = row(db, 77);
      const vector = one.vector.map((byte, at) => (at === 9 ? byte ^ 4 : byte));
      setVectors(db, [{ ...one, vector }]);
    },
  },
  {
    name: "one letter changed in a title",
    kind: "corruption",
    inflict: (db) => db.exec(`UPDATE texts SET title = title || '.' WHERE n = ${row(db, 78).n}`),
  },
  {
    name: "an id overwritten",
    kind: "corruption",
    inflict: (db) => db.exec(`UPDATE records SET id = 'overwritten' WHERE n = ${row(db, 79).n}`),
  },
  {
    name: "a kept sum overwritten",
    kind: "corruption",
    inflict: (db) => db.exec(`UPDATE ranges SET sum = '${"1".repeat(32)}' WHERE node = 1`),
  },
  {
    name: "wrong embedding version, by its name",
    kind: "embedding-skew",
    inflict: (db, corpus) => {
      reembed(db, corpus, rows(db));
      db.exec("UPDATE scopes SET embedding = 'other-2'");
    },
  },
  {
    name: "wrong embedding version, under the right name",
    kind: "embedding-skew",
    inflict: (db, corpus) => reembed(db, corpus, rows(db)),
  },
  {
    name: "half re-embedded",
    kind: "embedding-skew",
    inflict: (db, corpus) => {
      const half = rows(db).filter((_, at) => at % 2 === 0);
      reembed(db, corpus, half);
      db.exec("INSERT INTO scopes SELECT scope + 10000, 'other-2', audience, labels FROM scopes");
      const move = db.prepare("UPDATE records SET scope = scope + 10000 WHERE n = ?");
      for (const { n } of half) move.run(n);
    },
  },
  {
    name: "labels of one tenant changed",
    kind: "authorization",
    inflict: (db) => db.exec("UPDATE scopes SET labels = '[]' WHERE audience = 'acme'"),
  },
  {
    name: "one tenant's record given to all",
    kind: "authorization",
    inflict: (db) =>
      db.exec(`
        UPDATE records SET scope = (SELECT scope FROM scopes WHERE audience = 'public')
        WHERE n = (SELECT min(n) FROM records NATURAL JOIN scopes WHERE audience = 'bolt')`),
  },
];

const clock = createSystemClock();
const until = (what: string, look: () => boolean | Promise<boolean>): Promise<void> =>
  eventually(what, look, 60_000);
const INTERVAL = "100ms";

class Pair {
  readonly world: AgentWorld;
  readonly corpus: Corpus;
  readonly owner: IndexStore;
  readonly standby: ListIndex;
  readonly #folder: string;

  private constructor(
    world: AgentWorld,
    corpus: Corpus,
    stores: [IndexStore, ListIndex],
    folder: string,
  ) {
    this.world = world;
    this.corpus = corpus;
    [this.owner, this.standby] = stores;
    this.#folder = folder;
  }

  static async start(corpus: Corpus): Promise<Pair> {
    const folder = mkdtempSync(join(tmpdir(), "tideover-damage-"));
    const world = await createAgentWorld({ interval: INTERVAL, timeout: "1s", confirm: "5s" });
    const owner = await openSqliteIndex({ path: join(folder, "owner.db") });
    const inner = await openSqliteIndex({ path: join(folder, "standby.db") });
    const standby = listIndex(inner, { lists: 16, probes: 15 });
    for (let at = 0; at < corpus.changes.length; at += 500) {
      await owner.append(1, corpus.changes.slice(at, at + 500));
    }
    const proofQuestions = async () => corpus.questions;
    await world.eu.start({ index: owner, proofQuestions });
    await world.us.start({ index: standby, proofQuestions });
    const pair = new Pair(world, corpus, [owner, standby], folder);
    await until("the standby to be level", async () => {
      return (await standby.position()).seq === corpus.changes.length;
    });
    return pair;
  }

  /** Writes to the standby's file past its agent. */
  damage(inflict: Damage["inflict"]): void {
    const db = new DatabaseSync(join(this.#folder, "standby.db"), { timeout: 5_000 });
    db.exec("BEGIN IMMEDIATE");
    inflict(db, this.corpus);
    db.exec("COMMIT");
    db.close();
  }

  contents(): Promise<StoredRecord[]> {
    return this.standby.recordsIn({ prefix: 0, bits: 0 });
  }

  async isAnswering(): Promise<boolean> {
    return (await this.standby.standing()).kind === "whole";
  }

  async close(): Promise<void> {
    await this.world.close();
    await this.owner.close();
    await this.standby.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

for (const [name, present, read] of [
  ["SciFact's 5,183 embeddings", scifactPresent(), sciFact],
  ["Cranfield's 1,400 texts", cranfieldPresent(), cranfield],
] as const) {
  const skip = present ? false : `${name} are not beside this project (../shared/data)`;
  describe(`a standby's copy of ${name}`, { skip }, () => {
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(read());
    });
    after(() => pair.close());

    for (const { name: what, kind, inflict } of DAMAGES) {
      it(`${what}: ${kind}, and is cured`, async (t) => {
        const { log } = pair.world.us;
        const whole = await pair.contents();
        const from = log.length;
        const news = (): string[] => log.slice(from);
        const began = clock.monotonic();
        pair.damage(inflict);
        await until("it to be quarantined", () =>
          news().some((line) => line.includes("quarantines")),
        );
        const found = clock.monotonic() - began;
        await until("it to be named", () =>
          news().some((line) => /'s copy of handbook: [a-z-]+: /.test(line)),
        );
        const named = news().find((line) => /'s copy of handbook: [a-z-]+: /.test(line)) ?? "";
        const knownAfter = clock.monotonic() - began;
        assert.ok(named.includes(`: ${kind}: `), named);
        await until("it to answer again", () => pair.isAnswering());
        const cured = clock.monotonic() - began;
        assert.deepEqual(await pair.contents(), whole);
        const times = [found, knownAfter, cured].map((ms) => `${Math.round(ms)} ms`).join(", ");
        t.diagnostic(`found, named, answering again after ${times} (looking every ${INTERVAL})`);
        t.diagnostic(news().find((line) => line.includes("answers again")) ?? "");
      });
    }

    it("a graph built with bad parameters: graph-fault, and is built anew", async (t) => {
      const { us } = pair.world;
      const from = us.log.length;
      const news = (): string[] => us.log.slice(from);
      const began = clock.monotonic();
      pair.standby.rebuild({ lists: 400, probes: 1 });
      // By a person's order: unasked, the searches are tried every 15 s.
      const ordered = await us.ask("POST", AGENT_PATHS.verify(INDEX), {});
      assert.equal(ordered.status, 200, JSON.stringify(ordered.body));
      await until("it to be named", () => news().some((line) => line.includes("graph-fault: ")));
      const found = clock.monotonic() - began;
      await until("it to answer again", () => pair.isAnswering());
      const times = [found, clock.monotonic() - began].map((ms) => `${Math.round(ms)} ms`);
      t.diagnostic(`named, answering again after ${times.join(", ")}`);
      t.diagnostic(news().find((line) => line.includes("graph-fault: ")) ?? "");
      const again = await us.ask("POST", AGENT_PATHS.verify(INDEX), {});
      assert.equal((again.body as { fault: unknown }).fault, null);
    });
  });
}
