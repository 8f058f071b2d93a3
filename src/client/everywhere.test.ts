import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

const src = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Every file that an import of the client brings, and every word in quotes that it imports. */
function reached(from: string, found = new Map<string, string>()): Map<string, string> {
  if (found.has(from)) return found;
  const text = readFileSync(from, "utf8");
  found.set(from, text);
  for (const name of imported(text).filter((one) => one.startsWith("."))) {
    reached(resolve(dirname(from), name), found);
  }
  return found;
}

/** Types are gone when it runs. */
function imported(text: string): string[] {
  const statements = text.matchAll(/^(?:import|export)\s(?!type\b)[^;]*?from "([^"]+)"/gms);
  return [...statements].map(([, name = ""]) => name);
}

const files = reached(join(src, "client", "create-fetch.ts"));
const names = [...files.keys()].map((path) => relative(src, path));

it("the client brings no server code with it", () => {
  const others = names.filter((name) => !/^(client|core\/stream|lib|wire)\//.test(name));
  assert.deepEqual(others, []);
  assert.ok(names.includes("core/stream/relay.ts") && names.includes("wire/sse.ts"), "it walked");
});

it("it imports no package and nothing of node's", () => {
  const packages = [...files.values()].flatMap(imported).filter((name) => !name.startsWith("."));
  assert.deepEqual(packages, []);
});

it("it names nothing that only node has", () => {
  const only = /\b(process|Buffer|require|__dirname|setImmediate|global)\b[.([]/;
  const code = (text: string): string =>
    text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
  const wrong = [...files].filter(([, text]) => only.test(code(text)));
  assert.deepEqual(
    wrong.map(([path]) => relative(src, path)),
    [],
  );
});
