import { readFileSync, rmSync, writeFileSync } from "node:fs";
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

/** Throws ESTATE_ALREADY_UP, before anything of a running estate is touched. */
export function refuseWhenUp(data: DataDir): void {
  const holder = readHolder(data.lock);
  if (holder && isAlive(holder)) throw alreadyUp(data, holder.pid);
}

/** Whether a living supervisor holds the folder; what a killed one left there says nothing. */
export function isUp(data: DataDir): boolean {
  const holder = readHolder(data.lock);
  return holder !== null && isAlive(holder);
}

interface Holder {
  readonly pid: number;
  readonly startedAt: string | null;
}

function writeLock(file: string): boolean {
  // Known before the file is there: while it is empty it looks torn, and another would take it.
  const holder: Holder = { pid: process.pid, startedAt: processOf(process.pid).startedAt };
  try {
    writeFileSync(file, JSON.stringify(holder), { flag: "wx", mode: 0o600 });
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
  const present = processOf(pid);
  // Dead, and not yet fetched by its parent: in a container without an init that is for ever.
  if (present.state === "Z") return false;
  return present.startedAt === null || startedAt === null || present.startedAt === startedAt;
}

/**
 * Fields 3 and 22 of /proc/PID/stat: the state, and the start in ticks since boot; both null where
 * there is no /proc.
 */
function processOf(pid: number): { state: string | null; startedAt: string | null } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in brackets, and may itself hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? null, startedAt: fields[19] ?? null };
  } catch {
    return { state: null, startedAt: null };
  }
}

function alreadyUp(data: DataDir, pid: number): TideoverError {
  return new TideoverError(`this estate is already up: process ${pid} holds ${data.lock}`, {
    code: "ESTATE_ALREADY_UP",
    next: "Use it (`tideover status`), stop it with Ctrl-C where it runs, or start a second one with its own --data and ports (--free-ports).",
  });
}
