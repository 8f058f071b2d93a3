/**
 * `node test/run.ts unit|side|soak|slow|e2e`: each test file is in exactly one suite, and a new one
 * is in `unit` or, under `test/e2e/`, in `e2e` until somebody says otherwise here.
 */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { dirname, join } from "node:path";
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
/** The soak mostly waits: beside the others it costs no time. */
const TOGETHER: Readonly<Record<string, readonly string[]>> = { slow: ["soak", "side"] };

async function run({ files, atOnce }: Suite): Promise<number> {
  const flags = ["--import", "./test/support/watchdog.ts", `--test-concurrency=${atOnce}`];
  // Thousands of processes load the same sources: each would strip and compile them anew.
  const NODE_COMPILE_CACHE = join(ROOT, "node_modules", ".cache", "compiled");
  const child = spawn(process.execPath, ["--test", ...flags, ...files], {
    cwd: ROOT,
    env: { NODE_COMPILE_CACHE, ...process.env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  // Ctrl-C reaches the whole group; this process stays to tell how the others ended.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve) => child.once("close", (code) => resolve(code ?? 1)));
}

const name = process.argv[2] ?? "";
const suites = (TOGETHER[name] ?? [name]).flatMap((one) => SUITES[one] ?? []);
if (suites.length === 0) {
  process.stderr.write(
    `"${name}" is no suite: ${[...Object.keys(SUITES), ...Object.keys(TOGETHER)].join(", ")}\n`,
  );
  process.exitCode = 2;
} else {
  const codes = await Promise.all(suites.map(run));
  process.exitCode = Math.max(...codes);
}
