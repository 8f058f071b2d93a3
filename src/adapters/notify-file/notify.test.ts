import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { noticeOf, notifyContract } from "../../../test/contract/notify.ts";
import { TideoverError } from "../../lib/errors.ts";
import { openFileNotify } from "./notify.ts";

const newFolder = () => mkdtemp(join(tmpdir(), "tideover-notify-"));

async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).trimEnd().split("\n");
}

notifyContract("file", async () => {
  const folder = await newFolder();
  const path = join(folder, "notices.jsonl");
  return {
    open: async () => openFileNotify({ path }),
    told: async () => (await linesOf(path)).map((line) => JSON.parse(line)),
    end: () => rm(folder, { recursive: true }),
  };
});

test("a line that a kill cut short was not sent, and does not swallow the next", async (t) => {
  const folder = await newFolder();
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "notices.jsonl");
  await openFileNotify({ path }).send(noticeOf("first"));
  appendFileSync(path, JSON.stringify(noticeOf("torn")).slice(0, -20));
  const notify = openFileNotify({ path });
  assert.equal(await notify.sent("torn"), false);
  await notify.send(noticeOf("torn"));
  assert.equal(await notify.sent("torn"), true);
  assert.equal(await notify.sent("first"), true);
  const [first, cut, again] = await linesOf(path);
  assert.throws(() => JSON.parse(cut ?? ""));
  assert.deepEqual(
    [first, again].map((line) => JSON.parse(line ?? "")),
    [noticeOf("first"), noticeOf("torn")],
  );
});

test("a disk that cannot keep the notice: the send rejects, and a later one may succeed", async (t) => {
  const folder = await newFolder();
  t.after(() => rm(folder, { recursive: true }));
  for (const path of [join(folder, "missing", "notices.jsonl"), "/dev/full"]) {
    const notify = openFileNotify({ path });
    for (let n = 0; n < 2; n++) {
      await assert.rejects(notify.send(noticeOf("a")), (error: unknown) => {
        assert.ok(error instanceof TideoverError && error.code === "DISK_NOT_WRITABLE");
        assert.ok(error.message.includes(path) && error.next);
        return true;
      });
    }
  }
});
