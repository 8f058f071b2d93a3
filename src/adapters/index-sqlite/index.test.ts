import assert from "node:assert/strict";
import { copyFile, mkdtemp, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it, type TestContext } from "node:test";
import { indexContract } from "../../../test/contract/index.ts";
import {
  type Damage,
  hitIds,
  type IndexMaker,
  logOf,
  upsert,
  vector,
} from "../../../test/contract/index-support.ts";
import type { IndexStore } from "../../ports/index.ts";
import { openSqliteIndex } from "./index.ts";

interface Bench {
  /** A name in a folder of this test's own. */
  file(name: string): string;
  open(path: string, readOnly?: boolean, digestKey?: Uint8Array): Promise<IndexStore>;
  pathOf(index: IndexStore): string;
}

async function bench(t: TestContext): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), "tideover-index-"));
  const opened = new Map<IndexStore, string>();
  t.after(async () => {
    for (const index of opened.keys()) await index.close();
    await rm(folder, { recursive: true });
  });
  const open: Bench["open"] = async (path, readOnly = false, digestKey) => {
    const key = digestKey === undefined ? {} : { digestKey };
    const index = await openSqliteIndex({ path, readOnly, ...key });
    opened.set(index, path);
    return index;
  };
  const pathOf = (index: IndexStore): string => opened.get(index) ?? "";
  return { file: (name) => join(folder, name), open, pathOf };
}

/** A closed index file with these documents in it. */
async function filled({ open }: Bench, path: string, ids: readonly string[]): Promise<void> {
  const index = await open(path);
  await index.append(
    1,
    ids.map((id) => upsert(id)),
  );
  await index.close();
}

async function make(t: TestContext): Promise<IndexMaker> {
  const at = await bench(t);
  let count = 0;
  const next = (): string => at.file(`${count++}.db`);
  const spoiled = async (): Promise<IndexStore> => {
    const path = next();
    await filled(at, path, ["a"]);
    await writeFile(path, "no longer a database. ".repeat(2_000));
    return at.open(path);
  };
  const reopen = (place: unknown): Promise<IndexStore> => at.open((place as { path: string }).path);
  const durable = {
    module: new URL("./index.ts", import.meta.url).href,
    open: "openSqliteIndex",
    place: async () => ({ path: next() }),
    reopen,
  };
  const fresh = (digestKey?: Uint8Array): Promise<IndexStore> => at.open(next(), false, digestKey);
  const damage = async (index: IndexStore, id: string, how: Damage): Promise<void> => {
    const other = new DatabaseSync(at.pathOf(index));
    other.exec(DAMAGES[how].replaceAll(":n", `(SELECT n FROM records WHERE id = '${id}')`));
    other.close();
  };
  return { fresh: () => fresh(), keyed: fresh, damage, spoiled, durable };
}

const DAMAGES: Readonly<Record<Damage, string>> = {
  text: "UPDATE texts SET text = 'damaged' WHERE n = :n",
  vector: `UPDATE records SET vector = x'${Buffer.from(vector(0, 0, 1).buffer).toString("hex")}' WHERE n = :n`,
  audience: `INSERT INTO scopes SELECT 99, embedding, 'bolt', '["moved"]' FROM scopes LIMIT 1;
    UPDATE scopes SET labels = '[]' WHERE scope = 99;
    UPDATE records SET scope = 99 WHERE n = :n`,
  lost: "DELETE FROM texts WHERE n = :n; DELETE FROM records WHERE n = :n",
};

indexContract("sqlite", make, { durable: true });

const fault = (message: RegExp) => ({ code: "INDEX_UNAVAILABLE", message });

describe("an index file that is read by another process", () => {
  it("may appear after the reader, which then sees every write", async (t) => {
    const at = await bench(t);
    const path = at.file("late.db");
    const reader = await at.open(path, true);
    await assert.rejects(reader.position(), fault(/late\.db does not exist yet/));
    const writer = await at.open(path);
    assert.equal((await reader.position()).seq, 0);
    await writer.append(1, [upsert("a")]);
    assert.deepEqual(await hitIds(reader, {}), ["a"]);
    await writer.append(1, [upsert("b")]);
    assert.deepEqual(await reader.position(), await writer.position());
    await writer.close();
    assert.deepEqual(await hitIds(reader, {}), ["a", "b"]);
  });

  it("can be read again after the last writer has gone, and refuses writes", async (t) => {
    const at = await bench(t);
    const path = at.file("alone.db");
    await filled(at, path, ["a"]);
    const reader = await at.open(path, true);
    assert.deepEqual(await hitIds(reader, {}), ["a"]);
    await assert.rejects(reader.append(1, [upsert("b")]), fault(/open for reading only/));
    await assert.rejects(reader.fence(1), fault(/open for reading only/));
    await assert.rejects(reader.rewindTo(0), fault(/open for reading only/));
  });

  it("is not held up by a write that is under way", async (t) => {
    const at = await bench(t);
    const path = at.file("busy.db");
    await filled(at, path, ["a"]);
    const reader = await at.open(path, true);
    const other = new DatabaseSync(path);
    t.after(() => other.close());
    other.exec("BEGIN IMMEDIATE; DELETE FROM records;");
    assert.deepEqual(await hitIds(reader, {}), ["a"]);
  });

  it("is followed when the writer's checkpoints rewrite it", async (t) => {
    const at = await bench(t);
    const path = at.file("checkpoint.db");
    const writer = await at.open(path);
    const reader = await at.open(path, true);
    const other = new DatabaseSync(path);
    t.after(() => other.close());
    for (const id of ["a", "b", "c"]) {
      await writer.append(1, [upsert(id)]);
      other.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      assert.deepEqual(await reader.position(), await writer.position());
    }
    assert.deepEqual(await logOf(reader), await logOf(writer));
  });
});

describe("an index file that is replaced", () => {
  it("is noticed, and the new one is read", async (t) => {
    const at = await bench(t);
    const [path, other] = [at.file("live.db"), at.file("other.db")];
    await filled(at, path, ["old"]);
    await filled(at, other, ["new"]);
    const writer = await at.open(path);
    const reader = await at.open(path, true);
    assert.deepEqual(await hitIds(reader, {}), ["old"]);
    for (const left of ["-wal", "-shm"]) await rm(path + left);
    await rename(other, path);
    assert.deepEqual(await hitIds(reader, {}), ["new"]);
    await writer.append(1, [upsert("newer")]);
    assert.deepEqual(await hitIds(reader, {}), ["new", "newer"]);
  });

  it("is refused while the old write-ahead log lies beside the new file", async (t) => {
    const at = await bench(t);
    const [path, other] = [at.file("live.db"), at.file("other.db")];
    const writer = await at.open(path);
    await writer.append(1, [upsert("only in the write-ahead log")]);
    await filled(at, other, ["new"]);
    await rename(other, path);
    const refused = fault(/live\.db was replaced, but .*live\.db-wal still belongs/);
    await assert.rejects(writer.position(), refused);
    await assert.rejects(writer.append(1, [upsert("x")]), refused);
    for (const left of ["-wal", "-shm"]) await rm(path + left);
    assert.deepEqual(await hitIds(writer, {}), ["new"]);
  });

  it("is never written as an empty one after it vanished", async (t) => {
    const at = await bench(t);
    const path = at.file("gone.db");
    const writer = await at.open(path);
    await writer.append(1, [upsert("a")]);
    await rename(path, at.file("elsewhere.db"));
    await assert.rejects(writer.append(1, [upsert("b")]), fault(/gone\.db is gone/));
    await rename(at.file("elsewhere.db"), path);
    assert.deepEqual(await hitIds(writer, {}), ["a"]);
  });
});

describe("an index file that is damaged", () => {
  it("is named, with what to do, also when it is damaged while in use", async (t) => {
    const at = await bench(t);
    const path = at.file("live.db");
    await filled(at, path, ["a"]);
    const reader = await at.open(path, true);
    assert.equal((await reader.position()).seq, 1);
    await writeFile(path, "garbage ".repeat(5_000));
    await assert.rejects(reader.position(), {
      code: "INDEX_UNAVAILABLE",
      message: /live\.db cannot be used: file is not a database/,
      next: /Stop this region's agent, move the file/,
    });
  });

  it("is refused when it was cut short", async (t) => {
    const at = await bench(t);
    const path = at.file("short.db");
    await filled(
      at,
      path,
      Array.from({ length: 200 }, (_, n) => `document ${n}`),
    );
    await truncate(path, 16_384);
    const index = await at.open(path);
    await assert.rejects(index.position(), fault(/short\.db cannot be used: .*malformed/));
  });

  it("is refused when its parts tell different stories", async (t) => {
    const at = await bench(t);
    const path = at.file("parts.db");
    await filled(at, path, ["a", "b"]);
    const other = new DatabaseSync(path);
    other.exec("DELETE FROM log WHERE seq = 2");
    other.close();
    const index = await at.open(path);
    await assert.rejects(index.position(), fault(/log, sums and position disagree/));
  });

  it("is not served from what a rewind put back when that was altered meanwhile", async (t) => {
    const at = await bench(t);
    const path = at.file("undo.db");
    const index = await at.open(path);
    await index.append(1, [upsert("a"), upsert("a", { text: "newer" })]);
    const other = new DatabaseSync(path);
    other.exec("UPDATE undo SET text = 'flipped' WHERE seq = 2");
    other.close();
    assert.equal(await index.rewindTo(1), 1);
    await assert.rejects(hitIds(index, {}), { code: "INDEX_CORRUPT" });
  });
});

describe("a file that is no index", () => {
  it("is refused and left as it is", async (t) => {
    const at = await bench(t);
    const path = at.file("foreign.db");
    const other = new DatabaseSync(path);
    other.exec("CREATE TABLE theirs (x)");
    other.close();
    const before = await readFile(path);
    const index = await at.open(path);
    await assert.rejects(index.append(1, [upsert("a")]), fault(/is not an index of Tideover's/));
    assert.deepEqual(await readFile(path), before);
  });

  it("is refused when another version of ours made it, with what to do", async (t) => {
    const at = await bench(t);
    for (const [format, next] of [
      [1, /in every region, .* ingest the documents again/],
      [3, /Run the version of Tideover that made the file/],
    ] as const) {
      const path = at.file(`format-${format}.db`);
      await filled(at, path, ["a"]);
      const other = new DatabaseSync(path);
      other.exec(`PRAGMA user_version = ${format}`);
      other.close();
      const message = new RegExp(`has format ${format}, .* format 2`);
      await assert.rejects((await at.open(path)).position(), { ...fault(message), next });
    }
  });

  it("is named when it is a folder, or lies below a file", async (t) => {
    const at = await bench(t);
    const folder = await at.open(at.file("."));
    await assert.rejects(folder.position(), fault(/cannot be used/));
    await writeFile(at.file("plain"), "");
    const below = await at.open(at.file("plain/index.db"));
    await assert.rejects(below.position(), fault(/plain\/index\.db cannot be used/));
  });

  it("has its folder made for it", async (t) => {
    const at = await bench(t);
    const index = await at.open(at.file("a/b/index.db"));
    assert.equal((await index.position()).seq, 0);
  });
});

describe("an index file whose digests are keyed", () => {
  const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

  it("is refused under any other key, rather than called damaged", async (t) => {
    const at = await bench(t);
    const path = at.file("keyed.db");
    const writer = await at.open(path, false, key(1));
    await writer.append(1, [upsert("a")]);
    const refused = {
      ...fault(/keyed\.db was made with another digest key/),
      next: /`indexes\.<name>\.digestKeyEnv`/,
    };
    for (const other of [undefined, key(2)]) {
      await assert.rejects((await at.open(path, true, other)).position(), refused);
      await assert.rejects((await at.open(path, false, other)).append(1, []), refused);
    }
    assert.deepEqual(await hitIds(await at.open(path, true, key(1)), {}), ["a"]);
  });

  it("takes its key at any time before it holds anything", async (t) => {
    const at = await bench(t);
    const path = at.file("empty.db");
    await (await at.open(path)).close();
    const writer = await at.open(path, false, key(1));
    await writer.append(1, [upsert("a")]);
    assert.deepEqual(await hitIds(writer, {}), ["a"]);
  });
});

describe("a restore that was killed when its hot part answered", () => {
  it("is forgotten by whoever opens the file to write", async (t) => {
    const at = await bench(t);
    const [path, from] = [at.file("half.db"), at.file("from.db")];
    await filled(at, path, ["former"]);
    await filled(at, from, ["a", "b", "c"]);
    const [copy, source] = [await at.open(path), await at.open(from)];
    const snapshot = await source.openSnapshot();
    const reader = await at.open(path, true);
    const records = async function* () {
      yield* snapshot.records(1);
      // All that a kill leaves is what is in the file now.
      while ((await reader.standing()).kind !== "partial") await new Promise(setImmediate);
      await copyFile(path, `${path}.left`);
      await copyFile(`${path}-wal`, `${path}.left-wal`);
    };
    await copy.restore({ ...snapshot, records: records(), hot: 1 });
    await snapshot.close();
    const left = `${path}.left`;
    assert.equal((await (await at.open(left, true)).standing()).kind, "partial");
    const again = await at.open(left);
    assert.deepEqual(await again.standing(), { kind: "whole" });
    assert.deepEqual(await hitIds(again, {}), ["former"]);
  });
});
