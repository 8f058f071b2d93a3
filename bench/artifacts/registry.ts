import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Bench, freePort, untilListening } from "../support/bench.ts";

/** A real registry on loopback, with an empty folder on the benchmark's disk. */
export interface BenchRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly pid: number | undefined;
  /** Ends it and removes what it kept: a round must not fill the disk for the next. */
  stop(): Promise<void>;
}

let started = 0;

export async function startRegistry(bench: Bench): Promise<BenchRegistry> {
  started += 1;
  const name = `registry-${started}`;
  const folder = join(bench.folder, name);
  mkdirSync(folder);
  const port = await freePort();
  const config = join(bench.folder, `${name}.yml`);
  writeFileSync(config, configText(folder, port));
  const child = bench.start(name, ["docker-registry", "serve", config]);
  await untilListening(port, child, () => bench.logOf(name));
  return {
    host: `127.0.0.1:${port}`,
    pid: child.pid,
    stop: async () => {
      await ended(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configText(folder: string, port: number): string {
  return `version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${folder}}}
http: {addr: "127.0.0.1:${port}", secret: of the benchmark}
`;
}

export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}
