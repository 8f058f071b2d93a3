import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Which processes share a core: whoever is measured has one to itself. */
export interface Cores {
  readonly measured: number | null;
  readonly others: number | null;
  readonly why: string;
}

/**
 * What a benchmark started and must take away again: processes, in the reverse order of their start,
 * and one temporary folder. Ctrl-C, an error and an ordinary end all go the same way.
 */
export class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), "tideover-bench-"));
  readonly cores = coresHere();
  readonly #children: ChildProcess[] = [];
  readonly #ends: (() => void)[] = [];
  readonly #interrupted = new AbortController();

  constructor() {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => {
        this.#interrupted.abort(new Error(`stopped by ${signal}`));
        this.stop();
        process.exit(130);
      });
    }
    process.once("exit", () => this.stop());
  }

  get signal(): AbortSignal {
    return this.#interrupted.signal;
  }

  /** Starts a program on a core, its output in a file of the temporary folder. */
  start(name: string, command: readonly string[], options: StartOptions = {}): ChildProcess {
    const log = openSync(join(this.folder, `${name}.log`), "a");
    const guarded = options.ipc === true ? command : endsWithUs(command);
    const [program = "", ...args] = pinned(guarded, options.core ?? null);
    const child = spawn(program, args, {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, ...options.env },
      stdio: options.ipc ? ["ignore", log, log, "ipc"] : ["ignore", log, log],
    });
    // Without a listener a program that cannot be started would end the benchmark with a stack.
    child.on("error", () => undefined);
    this.#children.push(child);
    return child;
  }

  /** One of our own TypeScript files as a process; it talks over the channel that it is given. */
  startOwn(
    file: string,
    args: readonly string[],
    core: number | null,
    flags: readonly string[] = [],
  ): ChildProcess {
    const path = join(ROOT, "bench", file);
    const name = file.replaceAll(/[/.]/g, "-") + this.#children.length;
    return this.start(name, [process.execPath, ...flags, path, ...args], { core, ipc: true });
  }

  /** This process itself, where it is the load: on the core of those that are not measured. */
  pinSelf(): void {
    const { others } = this.cores;
    if (others !== null) spawnSync("taskset", ["-apc", String(others), String(process.pid)]);
  }

  /** For what others start on our behalf. Must be synchronous; it may find nothing left to end. */
  alsoEnd(end: () => void): void {
    this.#ends.push(end);
  }

  /** The end of what a process wrote, for the message that says why it did not start. */
  logOf(name: string): string {
    try {
      return readFileSync(join(this.folder, `${name}.log`), "utf8")
        .slice(-600)
        .trim();
    } catch {
      return "";
    }
  }

  /** Synchronous, so that it also works while the process exits. */
  stop(): void {
    for (const child of this.#children.splice(0).reverse()) {
      // SIGKILL: nothing of these processes' state is wanted, and none may outlive us.
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    }
    for (const end of this.#ends.splice(0)) end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface StartOptions {
  readonly core?: number | null;
  readonly ipc?: boolean;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function coresHere(): Cores {
  const count = cpus().length;
  if (findProgram("taskset") === null) return unpinned("taskset is not installed");
  if (count < 2) return unpinned("this machine has one core");
  // A sandbox may offer fewer cores than it shows.
  if (spawnSync("taskset", ["-c", "0,1", "true"]).status !== 0)
    return unpinned("taskset may not choose cores here");
  return { measured: 0, others: 1, why: `core 0 measured, core 1 load and upstream, of ${count}` };
}

function unpinned(because: string): Cores {
  return { measured: null, others: null, why: `not pinned: ${because}` };
}

function pinned(command: readonly string[], core: number | null): readonly string[] {
  return core === null ? command : ["taskset", "-c", String(core), ...command];
}

/**
 * Our own processes end when their channel closes. Others' programs know nothing of one: the kernel
 * ends them when this process is killed and can end nothing itself.
 */
function endsWithUs(command: readonly string[]): readonly string[] {
  const program = findProgram("setpriv");
  return program === null ? command : [program, "--pdeathsig", "KILL", ...command];
}

/** Where a program is, also in the folders of servers' programs that users' PATHs leave out. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Waits until somebody listens. Throws with the process's own words when it ends before. */
export async function untilListening(
  port: number,
  child: ChildProcess,
  log: () => string,
): Promise<void> {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (await listens(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it did not start: ${log() || "it said nothing"}`);
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** The first message that a process of ours sends: it says where it listens. */
export function firstMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once("message", (message) => resolve(message as T));
    child.once("exit", (code, signal) =>
      reject(new Error(`a process of the benchmark ended (${signal ?? code}) before it was up`)),
    );
  });
}
