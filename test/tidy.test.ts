import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { GATEWAY_FLAGS } from "../src/app/process.ts";

/**
 * The layer table of docs/ARCHITECTURE.md, as a test. A room is a folder under src/; the longest
 * matching row is a file's room. What a row does not name, its files may not import.
 */
const LAYERS: Readonly<Record<string, readonly string[] | "anything">> = {
  model: ["model"],
  lib: ["lib"],
  "core/signals": ["core/signals", "model", "lib"],
  "core/verdicts": ["core/verdicts", "model", "lib"],
  "core/decisions": ["core/decisions", "model", "lib"],
  "core/plans": ["core/plans", "model", "lib"],
  "core/evidence": ["core/evidence", "model", "lib"],
  "core/reconcile": ["core/reconcile", "model", "lib"],
  "core/publish": ["core/publish", "model", "lib"],
  "core/release": ["core/release", "model", "lib"],
  "core/stream": ["core/stream", "model", "lib", "wire"],
  wire: ["wire", "lib"],
  ports: ["ports", "model", "lib"],
  control: ["control", "core", "model", "lib", "ports"],
  region: ["region", "core", "model", "lib", "wire", "ports"],
  gateway: ["gateway", "core/stream", "model", "lib", "wire", "ports"],
  client: ["client", "core/stream", "lib", "wire"],
  // What a digest is belongs to the core, and an index computes it while it writes (ADR 0003).
  adapters: ["model", "lib", "wire", "ports", "core/reconcile", "ledger"],
  ledger: ["ledger", "model", "lib", "core/reconcile"],
  runtime: ["runtime", "lib", "wire"],
  sim: ["sim", "model", "lib", "ports", "control", "region", "core/reconcile"],
  drills: ["drills", "core/evidence", "model", "lib", "ports", "wire", "api"],
  // A release folder is judged where its lines and columns are known (ADR 0011).
  config: ["config", "core/release", "model", "lib"],
  api: ["api", "core", "model", "lib", "ports"],
  app: "anything",
  cli: ["cli", "app", "api", "adapters", "config", "core", "drills", "model", "lib"],
};

/** Rooms without clock, socket, file, randomness or environment. */
const PURE = ["model", "lib", "core", "wire"];

/** What a pure room must not hold, and what to use instead. */
const IMPURE: readonly { pattern: RegExp; instead: string }[] = [
  { pattern: /\bDate\.now\(|\bnew Date\(\)/, instead: "take the time as a parameter" },
  { pattern: /\bMath\.random\(/, instead: "take the number as a parameter" },
  { pattern: /\bperformance\.now\(/, instead: "take the time as a parameter" },
  { pattern: /\bsetTimeout\(|\bsetInterval\(/, instead: "return what shall be done, and when" },
  { pattern: /(?<![.\w])fetch\(/, instead: "return what shall be asked" },
  { pattern: /\bprocess\.(env|argv|cwd|exit)\b/, instead: "take the value as a parameter" },
  { pattern: /from "node:(?!crypto")/, instead: "only node:crypto's hashing is pure" },
];

/** Lines that a file may have. Raised only here, with the reason. */
const MAX_LINES = 400;
const LONGER: Readonly<Record<string, { lines: number; why: string }>> = {};

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const src = join(root, "src");

interface SourceFile {
  /** Relative to src/, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Imports of other files of ours, relative to src/. */
  readonly imports: readonly string[];
  readonly room: string;
}

const files = readSources();
/** Tests, and the processes that tests start, may reach anywhere. */
const product = files.filter(({ path }) => !/\.(test|fixture)\.ts$/.test(path));

test("every file stands in a room of the layer table", () => {
  assert.deepEqual(
    product.filter(({ room }) => room === "").map(({ path }) => path),
    [],
  );
  assert.ok(product.length > 100, "the walk found the sources");
});

test("every import is one that the layer table allows", () => {
  const wrong = product.flatMap(({ path, room, imports }) =>
    imports
      .filter((target) => !mayImport(path, room, target))
      .map((target) => `${path} -> ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test("no adapter imports another", () => {
  const kind = (path: string): string => path.split("/").slice(0, 2).join("/");
  const wrong = product
    .filter(({ room }) => room === "adapters")
    .flatMap(({ path, imports }) =>
      imports
        .filter((target) => target.startsWith("adapters/") && kind(target) !== kind(path))
        .map((target) => `${path} -> ${target}`),
    );
  assert.deepEqual(wrong, []);
});

test("no import cycles", () => {
  assert.deepEqual(findCycles(), []);
});

test("the pure rooms hold no clock, socket, file, randomness or environment", () => {
  const wrong = product
    .filter(({ path }) => PURE.includes(path.split("/")[0] ?? ""))
    .flatMap(({ path, text }) =>
      IMPURE.filter(({ pattern }) => pattern.test(withoutComments(text))).map(
        ({ pattern, instead }) => `${path}: ${pattern.source} (${instead})`,
      ),
    );
  assert.deepEqual(wrong, []);
});

test("no file is longer than its budget", () => {
  const wrong = product
    .map(({ path, text }) => ({ path, lines: text.split("\n").length }))
    .filter(({ path, lines }) => lines > (LONGER[path]?.lines ?? MAX_LINES));
  assert.deepEqual(wrong, []);
});

test("no unfinished marks, suppressed types or focused tests", () => {
  const marks = /\b(TODO|FIXME|XXX|HACK)\b|@ts-(ignore|nocheck|expect-error)|\.only\(/;
  const types = /\bas any\b|: any\b/;
  const wrong = files
    .filter(({ text }) => marks.test(text) || types.test(withoutComments(text)))
    .map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

test("no barrels and no default exports", () => {
  const wrong = product
    .filter(({ text }) => /^export (\*|default)\b/m.test(text))
    .map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

function readSources(): SourceFile[] {
  return readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => {
      const text = readFileSync(join(src, path), "utf8");
      const slashed = path.replaceAll("\\", "/");
      return { path: slashed, text, imports: importsOf(slashed, text), room: roomOf(slashed) };
    });
}

function importsOf(path: string, text: string): string[] {
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)];
  return specifiers.map(([, specifier = ""]) =>
    relative(src, resolve(src, dirname(path), specifier)).replaceAll("\\", "/"),
  );
}

function roomOf(path: string): string {
  const rooms = Object.keys(LAYERS).filter((room) => path.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? "";
}

function mayImport(path: string, room: string, target: string): boolean {
  const allowed = LAYERS[room];
  if (allowed === "anything") return true;
  if (
    room === "adapters" &&
    dirname(target).startsWith(dirname(path).split("/").slice(0, 2).join("/"))
  ) {
    return true;
  }
  return allowed?.some((prefix) => target.startsWith(`${prefix}/`)) ?? false;
}

function findCycles(): string[][] {
  const graph = new Map(product.map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  const cycles: string[][] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      cycles.push([...trail.slice(start), path]);
      return;
    }
    if (done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return cycles;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

interface Locked {
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

test("the lock file names the packages of every platform, and no address", () => {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const packages: Record<string, Locked> = lock.packages;
  const addressed = Object.keys(packages).filter((name) => packages[name]?.resolved !== undefined);
  assert.deepEqual(addressed, []);
  // A registry that lacks another platform's package leaves it out, and `npm ci` then refuses to
  // install anything, on every platform.
  const missing = Object.values(packages)
    .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    .filter((name) => packages[`node_modules/${name}`] === undefined);
  assert.deepEqual(missing, []);
});

test("the command starts a gateway's Node with the flags that an estate starts it with", () => {
  const command = readFileSync(join(root, "bin", "tideover.mjs"), "utf8");
  const [, listed = ""] = /const gatewayFlags = \[([^\]]*)\]/.exec(command) ?? [];
  assert.deepEqual(
    [...listed.matchAll(/"([^"]+)"/g)].map(([, flag]) => flag),
    GATEWAY_FLAGS,
  );
});
