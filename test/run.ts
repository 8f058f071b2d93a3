/**
 * `node test/run.ts unit|side|soak|slow|e2e`: each test file is in exactly one suite, and a new one
 * is in `unit` or, under `test/e2e/`, in `e2e` until somebody says otherwise here.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Suites of many seconds: not in the inner loop, and no clock of theirs is judged. */
const SIDE = globSync(
  [
    "src/adapters/index-lancedb/{index,versions}.test.ts",
    "src/adapters/index-pgvector/{capture,graph,index,migrate}.test.ts",
    "src/adapters/index-sqlite/index.test.ts",
    "src/control/interrupt-{activation,index-move}{,-put-back}.test.ts",
    "src/control/interrupt-rollback.test.ts",
    "src/gateway/{silent,slow}.test.ts",
    "src/gateway/workers/crew.test.ts",
    "src/region/indexes/tend.test.ts",
    "src/region/reindex.test.ts",
    "test/e2e/{artifacts,cli,cosign-format,cranfield,gateway-only,index-damage,index-engines}.test.ts",
    "test/e2e/{index-lancedb,index-pgvector,index-recovery,package,release,right-model,signed-release}.test.ts",
  ],
  { cwd: ROOT },
);
const SOAK = ["test/e2e/soak.test.ts"];
const rest = (patterns: string[]) =>
  globSync(patterns, { cwd: ROOT, exclude: [...SIDE, ...SOAK] }).toSorted();

interface Suite {
  readonly files: readonly string[];
  /** Files at once. Three keep two cores busy; more, and what waits for a bound misses it. */
  readonly atOnce: number;
}

const SUITES: Readonly<Record<string, Suite>> = {
  unit: { files: rest(["src/**/*.test.ts", "test/*.test.ts", "scripts/**/*.test.ts"]), atOnce: 3 },
  side: { files: SIDE, atOnce: 3 },
  soak: { files: SOAK, atOnce: 1 },
  // Real estates that are broken and recover.
  e2e: { files: rest(["test/e2e/*.test.ts"]), atOnce: 3 },
};
/**
 * What takes longest begins first: begun last, it would run alone at the end. Whoever is missing
 * here costs some seconds, no more.
 */
const LONGEST: readonly string[] = [
  "test/e2e/controller-crash.test.ts",
  "test/e2e/index-damage.test.ts",
  "test/e2e/start-stop.test.ts",
  "test/e2e/index-pgvector.test.ts",
  "test/e2e/cli.test.ts",
  "src/adapters/index-sqlite/index.test.ts",
  "test/e2e/client.test.ts",
  "test/e2e/activation.test.ts",
  "test/e2e/index-graph.test.ts",
  "test/e2e/demo.test.ts",
  "test/e2e/index-reindex.test.ts",
  "test/e2e/signed-release.test.ts",
  "test/e2e/client-apis.test.ts",
  "test/e2e/artifacts.test.ts",
  "test/e2e/data-path.test.ts",
  "test/e2e/capacity-loss.test.ts",
  "test/e2e/bad-release.test.ts",
  "test/e2e/index-engines.test.ts",
  "test/e2e/index-move.test.ts",
  "test/e2e/index-recovery.test.ts",
  "src/control/interrupt-activation.test.ts",
  "src/control/interrupt-activation-put-back.test.ts",
  "test/e2e/index-corruption.test.ts",
  "test/e2e/index-faults.test.ts",
  "test/e2e/release.test.ts",
  "src/gateway/silent.test.ts",
  "src/gateway/workers/crew.test.ts",
  "src/region/snapshots/snapshots.test.ts",
  "src/control/interrupt-switchover.test.ts",
  "src/core/verdicts/canary/canary.test.ts",
  "src/control/calm.test.ts",
  "src/control/refusal.test.ts",
  "src/control/release.test.ts",
  "src/control/interrupt-failover.test.ts",
];

function longestFirst(files: readonly string[]): string[] {
  const rank = (file: string): number => {
    const at = LONGEST.indexOf(file);
    return at === -1 ? LONGEST.length : at;
  };
  return files.toSorted((a, b) => rank(a) - rank(b));
}

/** Runs a suite in this process and its files in processes of their own; whether all is well. */
async function runSuite({ files, atOnce }: Suite): Promise<boolean> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
  // Thousands of processes load the same sources: each would strip and compile them anew.
  const NODE_COMPILE_CACHE = join(ROOT, "node_modules", ".cache", "compiled");
  process.env.NODE_COMPILE_CACHE ??= NODE_COMPILE_CACHE;
  process.chdir(ROOT);
  // Not `node --test`, which would sort the files by name.
  const told = run({
    files: longestFirst(files).map((file) => join(ROOT, file)),
    concurrency: atOnce,
    execArgv: ["--import", "./test/support/watchdog.ts"],
    signal: stop.signal,
  });
  let isWell = false;
  told.on("test:summary", ({ file, success }) => {
    if (file === undefined) isWell = success;
  });
  const lines = told.compose(spec);
  lines.pipe(process.stdout);
  await once(lines, "end");
  return isWell;
}

/** The soak mostly waits: beside the others it costs no time. Each in a process, with its report. */
async function runSlow(): Promise<boolean> {
  const children = ["soak", "side"].map((suite) =>
    spawn(process.execPath, [fileURLToPath(import.meta.url), suite], {
      stdio: ["ignore", "inherit", "inherit"],
    }),
  );
  // Ctrl-C reaches the whole group; this process stays to tell how the others ended.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => children.forEach((child) => void child.kill("SIGTERM")));
  const ends = await Promise.all(children.map((child) => once(child, "close")));
  return ends.every(([code]) => code === 0);
}

const name = process.argv[2] ?? "";
const suite = SUITES[name];
if (suite === undefined && name !== "slow") {
  process.stderr.write(`"${name}" is no suite: ${[...Object.keys(SUITES), "slow"].join(", ")}\n`);
  process.exitCode = 2;
} else {
  const isWell = await (suite === undefined ? runSlow() : runSuite(suite));
  if (!isWell) process.exitCode = 1;
}
