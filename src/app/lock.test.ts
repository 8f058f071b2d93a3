import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { lockEstate } from "./lock.ts";
import { tempData } from "./temp-data.fixture.ts";

const HAS_PROC = existsSync("/proc/self/stat");

/** A data folder in which this already stands as the lock. */
function lockedBy(text: string) {
  const data = tempData();
  mkdirSync(dirname(data.lock), { recursive: true });
  writeFileSync(data.lock, text);
  return data;
}

const holderOf = (file: string) => JSON.parse(readFileSync(file, "utf8"));

test("a lock names this process and its start, is private, and is gone when it is freed", () => {
  const data = tempData();
  const unlock = lockEstate(data);
  const { pid, startedAt } = holderOf(data.lock);
  assert.equal(pid, process.pid);
  if (HAS_PROC) assert.match(startedAt, /^\d+$/);
  assert.equal(statSync(data.lock).mode & 0o777, 0o600);
  unlock();
  assert.equal(existsSync(data.lock), false);
  unlock();
  lockEstate(data)();
});

test("a folder that a living process holds is refused, with its number, and stays as it is", () => {
  const data = tempData();
  const unlock = lockEstate(data);
  const before = readFileSync(data.lock, "utf8");
  assert.throws(() => lockEstate(data), {
    code: "ESTATE_ALREADY_UP",
    message: `this estate is already up: process ${process.pid} holds ${data.lock}`,
    next: /--data/,
  });
  assert.equal(readFileSync(data.lock, "utf8"), before);
  unlock();
});

test("another folder is another estate", () => {
  const unlocks = [lockEstate(tempData()), lockEstate(tempData())];
  for (const unlock of unlocks) unlock();
});

test("a living process of another's is a holder as well", async () => {
  const sleeper = spawn("sleep", ["30"]);
  try {
    await once(sleeper, "spawn");
    // Without a start, as written where there is no /proc: the number alone must do.
    const data = lockedBy(JSON.stringify({ pid: sleeper.pid, startedAt: null }));
    assert.throws(() => lockEstate(data), { message: new RegExp(`process ${sleeper.pid} holds`) });
  } finally {
    sleeper.kill("SIGKILL");
  }
});

describe("a stale lock is taken over", () => {
  const takenOver = (text: string) => {
    const data = lockedBy(text);
    const unlock = lockEstate(data);
    assert.equal(holderOf(data.lock).pid, process.pid);
    unlock();
  };

  test("when its process has ended", async () => {
    const ended = spawn("true");
    await once(ended, "exit");
    takenOver(JSON.stringify({ pid: ended.pid, startedAt: "1" }));
  });

  test("when a stranger has its number: the start differs", { skip: !HAS_PROC }, () => {
    takenOver(JSON.stringify({ pid: process.pid, startedAt: "1" }));
  });

  test("when its process is dead and nobody has fetched it", { skip: !HAS_PROC }, async () => {
    // The shell becomes `sleep`, which never asks after the child that the shell had.
    const parent = spawn("sh", ["-c", "exec 3<&0; cat <&3 & echo $!; exec sleep 30"]);
    try {
      const [line] = await once(parent.stdout, "data");
      const pid = Number(line);
      const stat = () => {
        const text = readFileSync(`/proc/${pid}/stat`, "utf8");
        return text.slice(text.lastIndexOf(")") + 2).split(" ");
      };
      const isSleep = () => readFileSync(`/proc/${parent.pid}/comm`, "utf8") === "sleep\n";
      while (!isSleep()) await setImmediate();
      // Only now may the child end: the shell itself would have fetched it.
      parent.stdin.end();
      while (stat()[0] !== "Z") await setImmediate();
      takenOver(JSON.stringify({ pid, startedAt: stat()[19] }));
    } finally {
      parent.kill("SIGKILL");
    }
  });

  const torn = ["", "{", '{"pid":', "null", "[]", '"12"', "{}", '{"pid":"12"}'];
  for (const text of torn) {
    test(`when it was torn: ${JSON.stringify(text)}`, () => takenOver(text));
  }
});
