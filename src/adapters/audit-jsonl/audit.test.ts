import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, renameSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { auditContract, auditRecord } from "../../../test/contract/audit.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { AuditLog } from "../../ports/audit.ts";
import { type JsonlAuditOptions, openJsonlAudit } from "./audit.ts";

function auditWorld(options: Partial<JsonlAuditOptions>) {
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), "tideover-audit-"));
    const handles: AuditLog[] = [];
    return {
      open: async () => {
        const log = openJsonlAudit({ path: join(folder, "audit.jsonl"), ...options });
        handles.push(log);
        return log;
      },
      end: async () => {
        for (const handle of handles) await handle.close();
        await rm(folder, { recursive: true });
      },
    };
  };
}

auditContract("jsonl", auditWorld({}));
// About ten files within the newest 10,000 records, so that each case also crosses rotations.
auditContract("jsonl, rotating", auditWorld({ maxBytes: 500_000, keep: 20 }));

async function place(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "tideover-audit-"));
  const path = join(folder, "audit.jsonl");
  const handles: AuditLog[] = [];
  t.after(async () => {
    for (const handle of handles) await handle.close();
    await rm(folder, { recursive: true, force: true });
  });
  const open = (options: Partial<JsonlAuditOptions> = {}) => {
    const log = openJsonlAudit({ path, ...options });
    handles.push(log);
    return log;
  };
  return { folder, path, open };
}

function isNotWritable(path: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof TideoverError && error.code === "DISK_NOT_WRITABLE", String(error));
    assert.ok(error.message.includes(path) && error.next, error.message);
    return true;
  };
}

test("every record whose append resolved is found after the writer is killed", async (t) => {
  const { path, open } = await place(t);
  const file = join(import.meta.dirname, "audit.fixture.ts");
  const writer = spawn(process.execPath, [file, path], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => writer.kill("SIGKILL"));
  let told = "";
  writer.stdout.on("data", (chunk) => {
    told += chunk;
    if (told.split("\n").length > 200) writer.kill("SIGKILL");
  });
  await once(writer, "close");
  const ids = told.split("\n").slice(0, -1);
  assert.ok(ids.length >= 200);
  const log = open();
  for (const id of ids) assert.equal((await log.find(id))?.requestId, id);
});

test("a torn last line is passed over, ended by the next record, and hides no other", async (t) => {
  const { path, open } = await place(t);
  await open().append(auditRecord("before"));
  appendFileSync(path, JSON.stringify(auditRecord("torn")).slice(0, -9));
  const log = open();
  assert.equal(await log.find("torn"), null);
  assert.equal((await log.find("before"))?.requestId, "before");
  await log.append(auditRecord("after"));
  assert.equal((await log.find("after"))?.requestId, "after");
  assert.equal((await log.find("before"))?.requestId, "before");
  assert.equal((await readFile(path, "utf8")).split("\n").length, 4);
});

test("a line that is no record, or one of other words, is passed over", async (t) => {
  const { path, open } = await place(t);
  const log = open();
  await log.append(auditRecord("a"));
  appendFileSync(path, `{"requestId":"a"}\n\n"a"\n{"a" oops\n`);
  assert.deepEqual(await log.find("a"), auditRecord("a"));
});

test("lines longer than a read, with characters cut by its edge, are found", async (t) => {
  const { open } = await place(t);
  const log = open();
  const records = Array.from({ length: 7 }, (_, n) =>
    auditRecord(`long-${n}`, { sources: ["é漢🌊".repeat(20_000 + n * 7_777)] }),
  );
  for (const record of records) await log.append(record);
  for (const record of records) assert.deepEqual(await log.find(record.requestId), record);
});

test("a full file is moved back, the oldest is forgotten, and what is kept is found", async (t) => {
  const { folder, path, open } = await place(t);
  const log = open({ maxBytes: 1, keep: 3 });
  for (let n = 0; n < 6; n++) await log.append(auditRecord(`r${n}`));
  assert.deepEqual((await readdir(folder)).sort(), [
    "audit.jsonl",
    "audit.jsonl.1",
    "audit.jsonl.2",
    "audit.jsonl.3",
  ]);
  const found = await Promise.all([0, 1, 2, 3, 4, 5].map((n) => log.find(`r${n}`)));
  assert.deepEqual(
    found.map((record) => record?.requestId),
    [undefined, undefined, "r2", "r3", "r4", "r5"],
  );
  assert.match(await readFile(path, "utf8"), /"r5"/);
});

test("two writers of one log lose nothing over a rotation", async (t) => {
  const { open } = await place(t);
  const [one, two] = [open({ maxBytes: 2_000, keep: 50 }), open({ maxBytes: 2_000, keep: 50 })];
  for (let n = 0; n < 30; n++) await (n % 2 === 0 ? one : two).append(auditRecord(`both-${n}`));
  for (let n = 0; n < 30; n++) {
    const record = await openFind(one, `both-${n}`);
    assert.equal(record, `both-${n}`);
  }
});

async function openFind(log: AuditLog, id: string): Promise<string | undefined> {
  return (await log.find(id))?.requestId;
}

test("a log that was removed under its writer is begun anew, not written to a ghost", async (t) => {
  const { path, open } = await place(t);
  const log = open();
  await log.append(auditRecord("lost"));
  rmSync(path);
  assert.equal(await log.find("lost"), null);
  await log.append(auditRecord("kept"));
  assert.equal((await log.find("kept"))?.requestId, "kept");
  assert.ok((await stat(path)).size > 0);
});

test("a disk that takes no more rejects the append", async () => {
  // Linux gives ENOSPC for every write to this device.
  const log = openJsonlAudit({ path: "/dev/full" });
  await assert.rejects(log.append(auditRecord("a")), isNotWritable("/dev/full"));
  await assert.rejects(log.append(auditRecord("b")), isNotWritable("/dev/full"));
  await log.close();
});

test("a folder that went away rejects, and once it is back the log goes on", async (t) => {
  const { folder, path, open } = await place(t);
  const log = open();
  await log.append(auditRecord("before"));
  renameSync(folder, `${folder}.away`);
  const rejected = [log.append(auditRecord("a")), log.append(auditRecord("b"))];
  for (const append of rejected) await assert.rejects(append, isNotWritable(path));
  renameSync(`${folder}.away`, folder);
  await log.append(auditRecord("after"));
  assert.equal((await log.find("before"))?.requestId, "before");
  assert.equal((await log.find("after"))?.requestId, "after");
  assert.equal(await log.find("a"), null);
});

test("a place where nothing can be written is refused at once", async (t) => {
  const { folder } = await place(t);
  await mkdir(join(folder, "sub"));
  for (const path of [join(folder, "missing", "audit.jsonl"), join(folder, "sub")]) {
    assert.throws(() => openJsonlAudit({ path }), isNotWritable(path));
  }
});
