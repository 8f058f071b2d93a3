import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { on, once } from "node:events";
import { existsSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, open as openFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { storeContract } from "../../../test/contract/store.ts";
import { isTideoverError, put, valuesOf } from "../../../test/contract/store-cases.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";
import { createSystemClock } from "../clock-system/clock.ts";
import { openSqliteStore, type SqliteStoreOptions } from "./store.ts";

/** Stands still until it is moved, so that "one millisecond early" can be said. Sleeps are real. */
class HandClock implements Clock {
  at = 1_000_000;
  wall = Date.UTC(2026, 0, 1);
  now = () => this.wall;
  monotonic = () => this.at;
  sleep = createSystemClock().sleep;
  after = createSystemClock().after;
}

storeContract("sqlite", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tideover-store-"));
  const clock = new HandClock();
  const handles: Store[] = [];
  return {
    open: async () => {
      const store = openSqliteStore({ path: join(folder, "store.db"), clock, pollMs: 2 });
      handles.push(store);
      return store;
    },
    elapse: async (ms) => {
      clock.at += ms;
    },
    ttlMs: 10_000,
    end: async () => {
      for (const handle of handles) await handle.close();
      await rm(folder, { recursive: true });
    },
  };
});

/** A folder of its own, and a way to open the store in it; all is closed and removed at the end. */
async function place(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "tideover-store-"));
  const path = join(folder, "store.db");
  const clock = new HandClock();
  const handles: Store[] = [];
  t.after(async () => {
    for (const handle of handles) await handle.close();
    await rm(folder, { recursive: true });
  });
  const open = (options: Partial<SqliteStoreOptions> = {}) => {
    const store = openSqliteStore({ path, clock, pollMs: 2, ...options });
    handles.push(store);
    return store;
  };
  return { folder, path, clock, open };
}

function child(t: TestContext, path: string, ...task: string[]): ChildProcess {
  const file = join(import.meta.dirname, "store.fixture.ts");
  const process_ = spawn(process.execPath, [file, path, ...task], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => process_.kill("SIGKILL"));
  return process_;
}

const write = (value: unknown) => ({ compare: [], operations: [put("a", value)] });
const unavailable = isTideoverError("STORE_UNAVAILABLE");

/** STORE_UNAVAILABLE, and its message has the path and these words. */
function unavailableAs(path: string, words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof TideoverError && error.code === "STORE_UNAVAILABLE", String(error));
    assert.ok(error.message.includes(path), error.message);
    assert.match(error.message, words);
    assert.ok(error.next);
    return true;
  };
}

test("three processes that open one new file and race increments lose none", async (t) => {
  const { path, open } = await place(t);
  const processes = [1, 2, 3].map(() => child(t, path, "increment", "counter", "60"));
  const codes = await Promise.all(processes.map((process_) => once(process_, "exit")));
  assert.deepEqual(
    codes.map(([code]) => code),
    [0, 0, 0],
  );
  assert.equal((await open().get("counter"))?.value, 180);
});

test("many threads that open one new file at one moment all find a store of ours", async (t) => {
  const start = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; round < 12; round++) {
    const { path } = await place(t);
    Atomics.store(start, 0, 0);
    const threads = Array.from({ length: 8 }, () => opener(path, start));
    await Promise.all(threads.map(({ ready }) => ready));
    Atomics.store(start, 0, 1);
    Atomics.notify(start, 0);
    assert.deepEqual(
      await Promise.all(threads.map(({ opened }) => opened)),
      threads.map(() => "opened"),
    );
  }
});

/** A thread that opens the store when `start` says so, and tells what came of it. */
function opener(path: string, start: Int32Array) {
  const url = new URL("./database.ts", import.meta.url).href;
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import(${JSON.stringify(url)}).then(({ openDatabase }) => {
      parentPort.postMessage("ready");
      Atomics.wait(workerData.start, 0, 0);
      try {
        openDatabase(workerData.path, 5_000).close();
        parentPort.postMessage("opened");
      } catch (error) {
        parentPort.postMessage(String(error));
      }
    });`;
  const worker = new Worker(code, { eval: true, workerData: { path, start } });
  const told = on(worker, "message");
  const next = async (): Promise<unknown> => (await told.next()).value?.[0];
  const ready = next();
  return { ready, opened: ready.then(next) };
}

test("a writer that is killed leaves whole transactions, and all that it was told", async (t) => {
  const { path, open } = await place(t);
  for (let round = 0; round < 3; round++) {
    const writer = child(t, path, "pairs");
    let told = "";
    writer.stdout?.on("data", (chunk) => {
      told += chunk;
      // Killed from within the stream of commits, at no point in particular.
      if (told.split("\n").length > 4 + round * 3) writer.kill("SIGKILL");
    });
    await once(writer, "close");
    const newest = Number(told.split("\n").at(-2));
    const store = open();
    const [a, b] = valuesOf(await store.list("")) as { n: number }[];
    assert.deepEqual(a, b);
    assert.ok(a !== undefined && a.n >= newest, `${a?.n} is on disk, ${newest} was told`);
    assert.ok((await store.commit(write({ n: 0 }))).ok);
    await store.commit({ compare: [], operations: [{ delete: "a" }, { delete: "b" }] });
  }
});

test("a lease lives to the last millisecond, whatever the wall clock does", async (t) => {
  const { clock, open } = await place(t);
  const store = open();
  const lease = await store.grantLease(1_000);
  await store.commit({ compare: [], operations: [put("a", 1, lease)] });
  clock.wall += 30 * 86_400_000;
  clock.at += 999;
  assert.notEqual(await store.get("a"), null);
  clock.wall -= 60 * 86_400_000;
  clock.at += 1;
  assert.equal(await store.get("a"), null);
});

test("after a boot, when the clock has started over, a lease has its full time again", async (t) => {
  for (const clockAfterBoot of [5, 1_000_000_000]) {
    const { clock, open } = await place(t);
    const before = open({ bootId: "first boot" });
    const lease = await before.grantLease(1_000);
    await before.commit({ compare: [], operations: [put("a", 1, lease)] });
    await before.close();
    clock.at = clockAfterBoot;
    const store = open({ bootId: "second boot" });
    clock.at += 999;
    assert.notEqual(await store.get("a"), null);
    clock.at += 1;
    assert.equal(await store.get("a"), null);
  }
});

test("opening the store again within one boot gives no lease more time", async (t) => {
  const { clock, open } = await place(t);
  const lease = await open().grantLease(1_000);
  clock.at += 999;
  const again = open();
  clock.at += 1;
  assert.equal(await again.keepAlive(lease), false);
});

test("what was written is there after every handle was closed", async (t) => {
  const { open } = await place(t);
  const store = open();
  const result = await store.commit(write("kept"));
  await store.close();
  const entry = await open().get("a");
  assert.deepEqual(entry, { key: "a", value: "kept", revision: result.ok && result.revision });
});

test("a removed file: every call and watch is refused, and no new file is made", async (t) => {
  const { path, open } = await place(t);
  const store = open();
  await store.commit(write(1));
  const states = store.watch("", new AbortController().signal)[Symbol.asyncIterator]();
  await states.next();
  const watching = assert.rejects(states.next(), unavailable);
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix);
  const refused = unavailableAs(path, /was removed/);
  await assert.rejects(store.get("a"), refused);
  await assert.rejects(store.list(""), refused);
  await assert.rejects(store.commit(write(2)), refused);
  await assert.rejects(store.grantLease(1_000), refused);
  await assert.rejects(store.keepAlive("x"), refused);
  await assert.rejects(store.revokeLease("x"), refused);
  await watching;
  assert.equal(existsSync(path), false);
});

test("a new store at the old one's path: who has the old one open is refused", async (t) => {
  const { path, open } = await place(t);
  const old = open();
  await old.commit(write("old"));
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix);
  const replacement = open();
  await assert.rejects(old.commit(write("ghost")), unavailableAs(path, /was replaced/));
  assert.equal(await replacement.get("a"), null);
  // SQLite's last close removes the log by its name, which must not be the new store's log.
  await old.close();
  assert.ok((await replacement.commit(write("new"))).ok);
});

test("only the log beside the file removed: refused, before two sides drift apart", async (t) => {
  for (const suffix of ["-wal", "-shm"]) {
    const { path, open } = await place(t);
    const store = open();
    await store.commit(write(1));
    rmSync(path + suffix);
    await assert.rejects(store.commit(write(2)), unavailableAs(path, /was removed/));
  }
});

test("a file moved away and back again is the store again", async (t) => {
  const { path, open } = await place(t);
  const store = open();
  await store.commit(write(1));
  renameSync(path, `${path}.away`);
  await assert.rejects(store.get("a"), unavailable);
  renameSync(`${path}.away`, path);
  assert.equal((await store.get("a"))?.value, 1);
});

test("a file cut short under an open handle is refused at the next call", async (t) => {
  const { path, open } = await place(t);
  const store = open();
  await store.commit(write(1));
  truncateSync(path, 0);
  await assert.rejects(store.commit(write(2)), unavailableAs(path, /cut short/));
});

test("a file overwritten with rubbish is refused by who opens it", async (t) => {
  const { path, open } = await place(t);
  writeFileSync(path, "this is no database ".repeat(1_000));
  assert.throws(() => open(), unavailableAs(path, /not a database/));
});

test("pages overwritten with rubbish are refused when they are read", async (t) => {
  const { path, open } = await place(t);
  const first = open();
  for (let n = 0; n < 20; n++) {
    await first.commit({ compare: [], operations: [put(`k${n}`, "x".repeat(5_000))] });
  }
  // The last close folds the log into the file, so that the rubbish is what will be read.
  await first.close();
  const pageSize = 4_096;
  const damaged = new DatabaseSync(path);
  const pages = Number(damaged.prepare("PRAGMA page_count").get()?.page_count);
  damaged.close();
  const store = open();
  await rubbish(path, pageSize * 5, pageSize * (pages - 5));
  await assert.rejects(store.list(""), unavailableAs(path, /damaged/));
});

async function rubbish(path: string, from: number, bytes: number): Promise<void> {
  const file = await openFile(path, "r+");
  await file.write(Buffer.alloc(bytes, 0xa5), 0, bytes, from);
  await file.close();
}

test("another program's database is left as it was", async (t) => {
  const { path, open } = await place(t);
  const theirs = new DatabaseSync(path);
  theirs.exec("CREATE TABLE theirs (x)");
  assert.throws(() => open(), unavailableAs(path, /another program/));
  assert.equal(theirs.prepare("PRAGMA journal_mode").get()?.journal_mode, "delete");
  theirs.close();
});

test("a store of a newer layout is not touched", async (t) => {
  const { path, open } = await place(t);
  await open().close();
  const newer = new DatabaseSync(path);
  newer.exec("PRAGMA user_version = 2");
  newer.close();
  assert.throws(() => open(), unavailableAs(path, /layout 2/));
});

test("a writer that holds the lock for too long: STORE_UNAVAILABLE, and later it goes on", async (t) => {
  const { path, open } = await place(t);
  const store = open({ busyTimeoutMs: 20 });
  await store.commit(write(1));
  const stuck = new DatabaseSync(path);
  stuck.exec("BEGIN IMMEDIATE");
  await assert.rejects(store.commit(write(2)), unavailableAs(path, /another process/));
  // Readers do not wait for writers.
  assert.equal((await store.get("a"))?.value, 1);
  stuck.exec("ROLLBACK");
  stuck.close();
  assert.ok((await store.commit(write(2))).ok);
});

test("a new file that another process is just making into a store is waited for", async (t) => {
  const { path, open } = await place(t);
  // SQLite itself does not wait here: the switch to WAL fails at once beside a writer.
  const code = `
    const db = new (require("node:sqlite").DatabaseSync)(process.argv[1]);
    db.exec("BEGIN IMMEDIATE");
    require("node:fs").writeSync(1, "held");
    setTimeout(() => db.exec("ROLLBACK"), 100);`;
  const maker = spawn(process.execPath, ["-e", code, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => maker.kill("SIGKILL"));
  await once(maker.stdout, "data");
  assert.ok((await open().commit(write(1))).ok);
});

test("a path that cannot be written says which, and what to do", async (t) => {
  const { folder, path } = await place(t);
  writeFileSync(join(folder, "file"), "");
  mkdirSync(join(folder, "sub"));
  const clock = new HandClock();
  const cases: [string, RegExp][] = [
    [join(folder, "missing", "store.db"), /the folder .*missing does not exist/],
    [join(folder, "file", "store.db"), /file is not a folder/],
    [join(folder, "sub"), /it is a folder/],
  ];
  for (const [wrong, words] of cases) {
    assert.throws(
      () => openSqliteStore({ path: wrong, clock }),
      (error: unknown) => {
        assert.ok(error instanceof TideoverError && error.code === "DISK_NOT_WRITABLE");
        assert.ok(error.message.includes(wrong), error.message);
        assert.match(error.message, words);
        assert.match(error.next ?? "", /folder/);
        return true;
      },
    );
  }
  assert.equal(existsSync(path), false);
});

test("a read-only file system is DISK_NOT_WRITABLE too", async () => {
  // /proc is writable to nobody, not even to root, which most test machines run as.
  assert.throws(
    () => openSqliteStore({ path: "/proc/store.db", clock: new HandClock() }),
    isTideoverError("DISK_NOT_WRITABLE"),
  );
});

test("own writes wake a watcher without waiting for its poll", async (t) => {
  const { open } = await place(t);
  const store = open({ pollMs: 2 ** 30 });
  const states = store.watch("", new AbortController().signal)[Symbol.asyncIterator]();
  await states.next();
  const next = states.next();
  await store.commit(write(1));
  assert.deepEqual(valuesOf((await next).value ?? []), [1]);
});
