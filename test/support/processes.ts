import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CommandResult, eventually, isAlive, ROOT } from "./estate.ts";

const MAIN = join(ROOT, "src", "cli", "main.ts");

/** A running `tideover` command in a process group of its own, as a shell starts one. */
export interface Command {
  readonly pid: number;
  readonly result: Promise<CommandResult>;
  stdout(): string;
  stderr(): string;
  /** To the process alone, as `kill` does. */
  signal(name: NodeJS.Signals): void;
  /** To every process of its group, as a terminal does with Ctrl-C. Nobody there is no error. */
  signalGroup(name: NodeJS.Signals): void;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Without what the test run's own environment says of colours and estates. */
function cleanEnv(added: Readonly<Record<string, string>>): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(NO_COLOR|FORCE_COLOR|TIDEOVER_.*|NODE_TEST_CONTEXT)$/.test(name),
  );
  return { ...Object.fromEntries(kept), ...added };
}

export function start(args: readonly string[], options: CommandOptions = {}): Command {
  return startProgram(process.execPath, [MAIN, ...args], options);
}

/** Any other program in a group of its own: a shell, a parent that cares for nobody. */
export function startProgram(
  program: string,
  args: readonly string[],
  { cwd = ROOT, env = {} }: CommandOptions = {},
): Command {
  const child = spawn(program, args, {
    cwd,
    env: cleanEnv(env),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (data) => {
    text.stdout += data;
  });
  child.stderr.on("data", (data) => {
    text.stderr += data;
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    result: new Promise((resolve) => {
      child.once("close", (code) => resolve({ code, ...text }));
    }),
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    signal: (name) => void child.kill(name),
    signalGroup: (name) => {
      try {
        process.kill(-pid, name);
      } catch {
        // Gone already.
      }
    },
  };
}

/** Longer than any command here takes on a busy machine: one that hangs must fail, not hang us. */
const RUN_MS = 90_000;

/** Runs a command to its end. */
export async function run(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const command = start(args, options);
  const overdue = setTimeout(() => command.signalGroup("SIGKILL"), RUN_MS);
  const result = await command.result;
  clearTimeout(overdue);
  return result;
}

/** `tideover` in front of a parent that never asks how its child ended: the child stays a zombie. */
export function startUnderCarelessParent(args: readonly string[]): Command {
  // `exec` makes the shell a `sleep`, which never waits for the children that it inherited.
  const script = '"$0" "$@" & echo "$!"; exec sleep 600';
  return startProgram("sh", ["-c", script, process.execPath, MAIN, ...args]);
}

/** Waits until a command has printed something. Throws with what it printed when it ends without. */
export async function printed(
  command: Command,
  stream: "stdout" | "stderr",
  wanted: RegExp,
  timeoutMs = 60_000,
): Promise<void> {
  let ended = false;
  void command.result.then(() => {
    ended = true;
  });
  await eventually(
    `${wanted} on ${stream}`,
    () => {
      if (wanted.test(command[stream]())) return true;
      if (ended) throw new Error(`it ended without ${wanted}: ${command.stderr()}`);
      return false;
    },
    timeoutMs,
  );
}

/** Living children of a process, by number. */
export function childrenOf(pid: number): number[] {
  return allProcesses().filter((one) => isAlive(one) && parentOf(one) === pid);
}

/** Living processes whose command line names something, such as an estate's data folder. */
export function processesNaming(text: string): number[] {
  return allProcesses().filter((pid) => isAlive(pid) && commandLineOf(pid).includes(text));
}

export function killProcessesNaming(text: string): void {
  for (const pid of processesNaming(text)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Gone meanwhile.
    }
  }
}

function allProcesses(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 1 && pid !== process.pid);
}

function parentOf(pid: number): number {
  const stat = procFile(pid, "stat");
  // The second field is the command in brackets, and may itself hold spaces and brackets.
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
}

function commandLineOf(pid: number): string {
  return procFile(pid, "cmdline");
}

function procFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}
