import { spawn } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, ROOT, untilListening } from "../support/bench.ts";
import { CHAT_PATH, KEY, MODEL, type Start } from "./contender.ts";

/** Exact, or two runs of the benchmark would compare two different peers. */
const PACKAGE = { name: "@portkey-ai/gateway", version: "1.15.2" };
/** With the newest one, its streams are answered with 500. */
const SERVER = { name: "@hono/node-server", version: "1.14.1" };

/** Outside node_modules: it is no dependency of Tideover's, and nobody else should pay for it. */
const CACHE = join(ROOT, ".tideover", "bench-peers", `portkey-${PACKAGE.version}`);

export const portkey: Start = async (bench, upstream) => {
  await installPortkey(bench.signal);
  const port = await freePort();
  const { command, cwd } = portkeyCommand(port);
  const child = bench.start("portkey", command, {
    core: bench.cores.measured,
    env: { NODE_ENV: "production" },
    cwd,
  });
  await untilListening(port, child, () => bench.logOf("portkey"));
  const headers = {
    authorization: `Bearer ${KEY}`,
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": `${upstream.url}/v1`,
  };
  return {
    name: "portkey",
    aim: { port, path: CHAT_PATH, headers, model: MODEL },
    pid: child.pid,
    stop: () => void child.kill("SIGKILL"),
    note: `${PACKAGE.version} with ${SERVER.name} ${SERVER.version}, no retries, no checks`,
  };
};

/** How it is started, once it is installed. */
export function portkeyCommand(port: number): {
  readonly command: readonly string[];
  readonly cwd: string;
} {
  const main = join(CACHE, "node_modules", ...PACKAGE.name.split("/"), "build", "start-server.js");
  return { command: [process.execPath, main, `--port=${port}`, "--headless"], cwd: CACHE };
}

/** Installs it once. Half an install is thrown away, or it would be taken for a whole one later. */
export async function installPortkey(signal: AbortSignal): Promise<void> {
  if (existsSync(CACHE)) return;
  const half = `${CACHE}.${process.pid}`;
  mkdirSync(half, { recursive: true });
  try {
    const manifest = {
      private: true,
      dependencies: { [PACKAGE.name]: PACKAGE.version },
      overrides: { [SERVER.name]: SERVER.version },
    };
    writeFileSync(join(half, "package.json"), JSON.stringify(manifest));
    await npmInstall(half, signal);
    renameSync(half, CACHE);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

function npmInstall(folder: string, signal: AbortSignal): Promise<void> {
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  return new Promise((resolve, reject) => {
    const npm = spawn("npm", args, { cwd: folder, stdio: "ignore", timeout: 120_000, signal });
    npm.once("error", (error) => reject(new Error(`npm could not install it: ${error.message}`)));
    npm.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`npm could not install it (exit ${code})`)),
    );
  });
}
