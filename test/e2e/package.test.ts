import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { ROOT } from "../support/estate.ts";

describe("the package as it is published", () => {
  const folder = mkdtempSync(join(tmpdir(), "tideover-package-"));
  const unpacked = join(folder, "package");
  after(() => rmSync(folder, { recursive: true, force: true }));

  before(() => {
    const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], {
      cwd: ROOT,
      encoding: "utf8",
    });
    const file = packed.trim().split("\n").at(-1) ?? "";
    execFileSync("tar", ["-xzf", join(folder, file), "-C", folder]);
  });

  test("its client is an export of its own that a plain import finds", async () => {
    const { exports } = JSON.parse(readFileSync(join(unpacked, "package.json"), "utf8"));
    const entry = join(unpacked, exports["./client"].default);
    const client = await import(pathToFileURL(entry).href);
    assert.equal(typeof client.createFetch({ gateways: ["http://127.0.0.1:1"] }), "function");
    assert.match(readFileSync(join(unpacked, exports["./client"].types), "utf8"), /createFetch/);
  });

  test("it holds no server code and imports no package", () => {
    const files = readdirSync(join(unpacked, "dist"), { recursive: true, encoding: "utf8" });
    const rooms = new Set(
      files.filter((path) => path.endsWith(".js")).map((path) => path.split("/")[0]),
    );
    assert.deepEqual([...rooms].sort(), ["client", "core", "lib", "wire"]);
    const scripts = files.filter((path) => path.endsWith(".js"));
    const foreign = scripts.flatMap((path) => {
      const text = readFileSync(join(unpacked, "dist", path), "utf8");
      const imports = [...text.matchAll(/from "([^".][^"]*)"/g)].map(([, name]) => name);
      return imports.map((name) => `${path} -> ${name}`);
    });
    assert.deepEqual(foreign, []);
  });
});
