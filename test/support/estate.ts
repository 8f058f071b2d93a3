import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDocument } from "yaml";
import { type Estate, openEstate } from "../../src/app/estate.ts";
import { freePortCopy } from "../../src/app/free-ports.ts";
import { type LocalEstate, startLocalEstate } from "../../src/app/local-estate.ts";
import { TideoverError } from "../../src/lib/errors.ts";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const SAMPLE = join(ROOT, "examples", "estate");
const MAIN = join(ROOT, "src", "cli", "main.ts");

/** Demo keys of the sample estate, as its spec's comment gives them. */
export const KEYS = { acme: "tk-demo-acme", bolt: "tk-demo-bolt", cobalt: "tk-demo-cobalt" };

/** Changes one value of a spec: `["detection", "confirm"]` to "2s". */
export type Change = readonly [path: readonly (string | number)[], value: unknown];

/**
 * The sample estate on free ports in a folder of its own; nothing is started yet. `prepare` may
 * change the files beside the spec before they are read.
 */
export async function sampleEstate(
  changes: readonly Change[] = [],
  prepare: (folder: string) => void = () => undefined,
): Promise<Estate> {
  const folder = mkdtempSync(join(tmpdir(), "tideover-test-"));
  cpSync(SAMPLE, join(folder, "source"), { recursive: true });
  const spec = join(folder, "source", "tideover.yaml");
  const document = parseDocument(readFileSync(spec, "utf8"));
  for (const [path, value] of changes) document.setIn(path, value);
  writeFileSync(spec, document.toString());
  prepare(dirname(spec));
  return freePortCopy(openEstate({ spec, data: join(folder, "data") }));
}

export interface TestEstate extends LocalEstate {
  readonly estate: Estate;
}

/** A running sample estate; `stop` ends every process and removes the folder. */
export async function startSample(
  changes: readonly Change[] = [],
  prepare?: (folder: string) => void,
): Promise<TestEstate> {
  const estate = await sampleEstate(changes, prepare);
  const local = await startLocalEstate(estate, {
    tell: () => undefined,
    signal: new AbortController().signal,
  });
  return {
    ...local,
    estate,
    stop: async () => {
      await local.stop();
      removeEstate(estate);
    },
  };
}

export function removeEstate(estate: Estate): void {
  rmSync(dirname(estate.data.root), { recursive: true, force: true });
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The `tideover` command as its own process. */
export function startCommand(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): { readonly child: ChildProcess; readonly result: Promise<CommandResult> } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, NO_COLOR: "1", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (data) => {
    stdout += data;
  });
  child.stderr?.on("data", (data) => {
    stderr += data;
  });
  const result = new Promise<CommandResult>((resolve) => {
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, result };
}

export function runCommand(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<CommandResult> {
  return startCommand(args, options).result;
}

/** Whether a process of this number is there (a zombie of ours is not). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z";
  } catch {
    return false;
  }
}

/**
 * Looks until it is true. Throws, with what was awaited, when it never is; and what a look throws,
 * unless that says to try again later, as a controller that did not answer in time does.
 */
export async function eventually(
  what: string,
  look: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  let cause: unknown;
  while (performance.now() < end) {
    try {
      if (await look()) return;
    } catch (error) {
      if (!(error instanceof TideoverError) || error.retry !== "later") throw error;
      cause = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause });
}
