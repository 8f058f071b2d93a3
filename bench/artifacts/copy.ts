import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bench, ROOT } from "../support/bench.ts";

/** What is copied, in every registry of the benchmark. */
export const REPOSITORY = "models/bench";
export const TAG = "v1";

export type Copier = "tideover" | "skopeo";

/** Starts one program that copies the artifact between two registries. */
export function startCopy(bench: Bench, who: Copier, from: string, to: string): ChildProcess {
  return who === "tideover" ? ours(bench, from, to) : skopeo(bench, from, to);
}

function ours(bench: Bench, from: string, to: string): ChildProcess {
  const [source, target] = [from, to].map((host) => `http://${host}/${REPOSITORY}:${TAG}`);
  const main = join(ROOT, "src", "cli", "main.ts");
  return bench.start(
    "tideover",
    [process.execPath, main, "artifacts", "copy", source ?? "", target ?? "", "--json"],
    { env: { HOME: homeOf(bench, "tideover") } },
  );
}

/**
 * `--preserve-digests`: it would otherwise compress the weights on the way, which is slow, and gives
 * another artifact. Its home is new, as it remembers between runs which registry has which blob.
 */
function skopeo(bench: Bench, from: string, to: string): ChildProcess {
  const [source, target] = [from, to].map((host) => `docker://${host}/${REPOSITORY}:${TAG}`);
  const home = homeOf(bench, "skopeo");
  const policy = join(home, "policy.json");
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
  return bench.start(
    "skopeo",
    [
      "skopeo",
      "--policy",
      policy,
      "copy",
      "--all",
      "--preserve-digests",
      ...tls,
      source ?? "",
      target ?? "",
    ],
    { env: { HOME: home, XDG_RUNTIME_DIR: home, XDG_DATA_HOME: home } },
  );
}

let homes = 0;

function homeOf(bench: Bench, who: string): string {
  homes += 1;
  const home = join(bench.folder, `home-${who}-${homes}`);
  mkdirSync(home);
  return home;
}

export interface Ended {
  readonly ms: number;
  /** null when it was killed. */
  readonly code: number | null;
}

/** Waits for a copy, and takes its time from `began`. */
export function endOf(child: ChildProcess, began: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve({ ms: performance.now() - began, code }));
  });
}
