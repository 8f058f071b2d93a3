import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parse } from "yaml";
import { loadRelease } from "../config/load-release.ts";
import { fingerprintYaml, writeFingerprint } from "../config/write-fingerprint.ts";
import { behaviourSchema } from "../model/behaviour.ts";
import { startRuntime } from "../runtime/server.ts";
import { referenceModelFingerprint } from "../wire/fingerprint.ts";
import { takeFingerprint } from "./fingerprint.ts";

const DIGEST = "sha256:0a1b2c3d";
const closers: (() => Promise<void> | void)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function runtime(over: { modelDigest?: string; hardware?: string } = {}): Promise<string> {
  const started = await startRuntime({
    model: "ref-1",
    modelDigest: DIGEST,
    embeddingModel: "ref-embed",
    embeddingSalt: "1",
    ...over,
  });
  closers.push(() => started.close());
  return started.url;
}

const options = (urls: string[]) => ({ urls, model: "ref-1", key: undefined, repeat: 2 });

test("what a good copy does stands in a release afterwards, beside what stood there", async () => {
  const taken = await takeFingerprint(options([await runtime()]));
  assert.equal(taken.fingerprint, referenceModelFingerprint(DIGEST));
  assert.equal(taken.behaviour?.tolerance, 0.02, "it never differed from itself");
  const folder = mkdtempSync(join(tmpdir(), "tideover-fingerprint-"));
  closers.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(
    join(folder, "release.yaml"),
    `# Ours.\nname: meridian\nversion: "1.0.0"\nmodel:\n  id: ref-1 # the model\n  digest: ${DIGEST}\n  fingerprint: "0000000000000000"\npolicy:\n  requestsPerMinute: 60\n  maxOutputTokens: 100\n`,
  );
  const path = writeFingerprint(folder, taken);
  const text = readFileSync(path, "utf8");
  assert.match(text, /^# Ours\.\n/);
  assert.match(text, /id: ref-1 # the model/);
  const { model } = parse(text);
  assert.equal(model.fingerprint, taken.fingerprint);
  assert.deepEqual(behaviourSchema.parse(model.behaviour), taken.behaviour);
  // The whole of it is what a release may hold; only the prompts are missing in this folder.
  assert.throws(() => loadRelease(folder), { code: "RELEASE_INVALID", message: /prompts/ });
});

test("copies on several machines set the tolerance that they need", async () => {
  const urls = [await runtime(), await runtime({ hardware: "another card" })];
  const { behaviour } = await takeFingerprint(options(urls));
  assert.ok(Number(behaviour?.tolerance) >= 0.02);
  assert.match(
    fingerprintYaml({ fingerprint: "0123456789012345", behaviour }),
    /"0123456789012345"/,
  );
});

test("copies of two models are refused, with what each answered", async () => {
  const urls = [await runtime(), await runtime({ modelDigest: "sha256:ffff0000" })];
  await assert.rejects(takeFingerprint(options(urls)), {
    code: "RELEASE_INVALID",
    message: new RegExp(
      `${referenceModelFingerprint(DIGEST)} and ${referenceModelFingerprint("sha256:ffff0000")}`,
    ),
  });
});

test("a server that tells no log-probabilities is recorded by its words alone", async () => {
  const server = createServer((_, response) =>
    response.end(JSON.stringify({ choices: [{ message: { content: "I am I." } }] })),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const taken = await takeFingerprint(options([`http://127.0.0.1:${port}/`]));
  assert.equal(taken.behaviour, null);
  assert.doesNotMatch(fingerprintYaml(taken), /behaviour/);
});

test("a copy that does not answer is named", async () => {
  await assert.rejects(takeFingerprint(options(["http://127.0.0.1:1"])), {
    code: "PEER_UNAVAILABLE",
    message: /127\.0\.0\.1:1 did not answer/,
  });
});
