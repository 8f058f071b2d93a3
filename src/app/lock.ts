import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { TideoverError } from "../lib/errors.ts";
import { type DataDir, makeWritable } from "./data-dir.ts";

/**
 * One supervisor per data folder. The lock names a process and the moment it started, because a
 * process number alone is used again: after a reboot a stranger with our number must not keep the
 * estate from starting. Gives the function that frees it. Throws ESTATE_ALREADY_UP.
 */
export function lockEstate(data: DataDir): () => void {
  makeWritable(data.root);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    if (writeLock(data.lock)) return () => rmSync(data.lock, { force: true });
    const holder = readHolder(data.lock);
    if (holder && isAlive(holder)) throw alreadyUp(data, holder.pid);
    rmSync(data.lock, { force: true });
  }
  throw alreadyUp(data, readHolder(data.lock)?.pid ?? 0);
}

interface Holder {
  readonly pid: number;
  readonly startedAt: string | null;
}

function writeLock(file: string): boolean {
  try {
    const descriptor = openSync(file, "wx", 0o600);
    const holder: Holder = { pid: process.pid, startedAt: startOf(process.pid) };
    writeSync(descriptor, JSON.stringify(holder));
    closeSync(descriptor);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readHolder(file: string): Holder | null {
  try {
    const { pid, startedAt } = JSON.parse(readFileSync(file, "utf8"));
    return typeof pid === "number" ? { pid, startedAt: startedAt ?? null } : null;
  } catch {
    // Torn by a kill between creating and writing: nobody can be behind it.
    return null;
  }
}

function isAlive({ pid, startedAt }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  const start = startOf(pid);
  return start === null || startedAt === null || start === startedAt;
}

/** Field 22 of /proc/PID/stat: start time in ticks since boot; null where there is no /proc. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in brackets, and may itself hold spaces and brackets.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

function alreadyUp(data: DataDir, pid: number): TideoverError {
  return new TideoverError(`this estate is already up: process ${pid} holds ${data.lock}`, {
    code: "ESTATE_ALREADY_UP",
    next: "Use it (`tideover status`), stop it with Ctrl-C where it runs, or start a second one with its own --data and ports (--free-ports).",
  });
}
