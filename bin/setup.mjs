#!/usr/bin/env node
// Makes a bare clone ready: installs exactly what package-lock.json says, once.
// Plain JavaScript on purpose: it runs on the machine's own Node (20 or later), before the
// Node that the project itself uses (the npm package `node`) is there.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stampFile = join(root, "node_modules", ".tideover-setup");

export function ensureInstalled() {
  const lock = readFileSync(join(root, "package-lock.json"));
  const stamp = createHash("sha256").update(lock).digest("hex");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  process.stderr.write("tideover: installing what package-lock.json names (once; about 20 s)\n");
  // npm's own standard output goes to our standard error: `--json` promises clean stdout.
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const result = spawnSync(npm, ["ci", "--no-fund", "--no-audit", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (result.status !== 0) {
    process.stderr.write(
      "tideover: `npm ci` failed, so nothing was started. Its own message is above; mend that and run the same command again.\n",
    );
    process.exit(result.status ?? 1);
  }
  writeFileSync(stampFile, stamp);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) ensureInstalled();
