import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sha256 } from "../lib/canonical.ts";
import { signText, verifySigned } from "../lib/signing.ts";
import { simSpec } from "../sim/estate.ts";
import { ensureKeys, newApiKey, withCanaryKeys } from "./keys.ts";
import { tempData } from "./temp-data.fixture.ts";

test("keys are made once, for their owner alone, and read afterwards", () => {
  const data = tempData();
  const keys = ensureKeys(data, ["acme", "bolt"]);
  const file = join(data.keys, "estate.json");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(data.keys).mode & 0o777, 0o700);
  const { mtimeMs } = statSync(file);
  assert.deepEqual(ensureKeys(data, ["acme", "bolt"]), keys);
  assert.deepEqual(
    ensureKeys(data, ["bolt"]),
    keys,
    "a tenant that is not asked for keeps its key",
  );
  assert.equal(statSync(file).mtimeMs, mtimeMs, "nothing was missing, so nothing was written");
  assert.deepEqual(readdirSync(data.keys), ["estate.json"], "no draft is left");
});

test("the halves belong together, and no two estates or tenants share anything", () => {
  const [one, other] = [ensureKeys(tempData(), ["acme", "bolt"]), ensureKeys(tempData(), ["acme"])];
  assert.ok(verifySigned(signText("x", one.signingKey), one.trustedKeys));
  assert.equal(verifySigned(signText("x", other.signingKey), one.trustedKeys), false);
  const secrets = [one, other].flatMap((keys) => [keys.token, ...Object.values(keys.canaryKeys)]);
  assert.equal(new Set(secrets).size, 5);
  assert.ok(secrets.every((secret) => secret.length >= 32));
});

test("a tenant that is new gets a key, and everything else stays", () => {
  const data = tempData();
  const before = ensureKeys(data, ["acme"]);
  const after = ensureKeys(data, ["acme", "bolt"]);
  const { bolt, ...others } = after.canaryKeys;
  assert.deepEqual({ ...after, canaryKeys: others }, before);
  assert.match(bolt ?? "", /^tk-canary-/);
  assert.deepEqual(ensureKeys(data, []), after);
  assert.equal(statSync(join(data.keys, "estate.json")).mode & 0o777, 0o600);
});

test("processes that start together have the same keys", async () => {
  const data = tempData();
  const module = fileURLToPath(new URL("./keys.ts", import.meta.url));
  // Each says that it is ready, and goes on at a line on its input: all make keys at once.
  const script = `
    const { ensureKeys } = await import(${JSON.stringify(module)});
    const { dataDirAt } = await import(${JSON.stringify(module.replace("keys.ts", "data-dir.ts"))});
    process.stderr.write("ready");
    process.stdin.once("data", () => {
      const { token } = ensureKeys(dataDirAt(${JSON.stringify(data.root)}), ["acme"]);
      process.stdout.write(token);
      process.stdin.destroy();
    });`;
  const started = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ["--input-type=module", "--eval", script]),
  );
  await Promise.all(
    started.map((child) => new Promise((ready) => child.stderr.once("data", ready))),
  );
  for (const { stdin } of started) stdin.end("go\n");
  const tokens = await Promise.all(started.map(({ stdout }) => text(stdout)));
  const { token } = JSON.parse(readFileSync(join(data.keys, "estate.json"), "utf8"));
  assert.deepEqual(tokens, [token, token, token, token]);
  assert.deepEqual(readdirSync(data.keys), ["estate.json"]);
});

test("the spec gets the hashes of the canaries' keys beside the tenants' own, and no key", () => {
  const spec = simSpec();
  const keys = ensureKeys(tempData(), ["acme", "stranger"]);
  const { tenants, ...others } = withCanaryKeys(spec, keys);
  const { tenants: before, ...same } = spec;
  assert.deepEqual(others, same);
  assert.deepEqual(tenants, {
    acme: { keys: [...(before.acme?.keys ?? []), sha256(keys.canaryKeys.acme ?? "")] },
  });
  assert.equal(spec.tenants.acme?.keys.length, 1, "the spec that was given is as it was");
  assert.equal(JSON.stringify(tenants).includes(keys.canaryKeys.acme ?? ""), false);
});

test("a tenant without a canary key keeps its own keys alone", () => {
  const spec = simSpec();
  const keys = ensureKeys(tempData(), []);
  assert.deepEqual(withCanaryKeys(spec, keys).tenants, spec.tenants);
});

test("an API key names what it is for and is never the same twice", () => {
  assert.match(newApiKey("acme"), /^tk-acme-[A-Za-z0-9_-]{32}$/);
  assert.notEqual(newApiKey("acme"), newApiKey("acme"));
});
