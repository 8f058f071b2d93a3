#!/usr/bin/env node
// The `tideover` command. Plain JavaScript: it starts on the machine's Node (20 or later),
// makes sure that the dependencies are there, and hands over to the Node that runs the
// TypeScript sources as they are.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureInstalled } from "./setup.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const main = join(root, "src", "cli", "main.ts");
const bundledNode = join(root, "node_modules", "node", "bin", "node");
// As in src/app/process.ts, which says why.
const gatewayFlags = [
  "--min-semi-space-size=32",
  "--max-semi-space-size=32",
  "--heap-growing-percent=100",
  "--no-memory-reducer",
  "--concurrent-marking-max-worker-num=1",
];

// For every process of an estate: compiling the sources is half of what a start costs. Beside the
// sources, where only who may change them can write; never in a temporary folder of everybody's.
process.env.NODE_COMPILE_CACHE ??= join(root, "node_modules", ".cache", "compiled");

if (process.features.typescript) {
  module.enableCompileCache();
  await import(main);
} else {
  ensureInstalled();
  if (!existsSync(bundledNode)) {
    process.stderr.write(
      `tideover: needs Node 24 or later (this is ${process.version}), and the bundled one is missing. Run \`npm ci\` in ${root}.\n`,
    );
    process.exit(1);
  }
  const flags = process.argv[2] === "gateway" ? gatewayFlags : [];
  const child = spawn(bundledNode, [...flags, main, ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  // The terminal sends Ctrl-C to both processes; the child decides when it has cleaned up.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}
