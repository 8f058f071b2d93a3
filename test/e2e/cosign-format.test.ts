import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { openRegistry } from "../../src/adapters/artifacts-registry/registry.ts";
import { loadRelease } from "../../src/config/load-release.ts";
import { makeReleaseKeys, readPrivateKey, signPayload } from "../../src/config/release-key.ts";
import { payloadOf } from "../../src/core/release/signature.ts";
import { signatureTag } from "../../src/model/artifact.ts";
import { addSignature, writeRelease } from "../../src/region/artifacts/release-store.ts";
import { absent, type LocalRegistry, startRegistry } from "../support/docker-registry.ts";
import { ROOT } from "../support/estate.ts";

/**
 * skopeo verifies signatures in cosign's format by itself (the verifier of podman and CRI-O, by a
 * public key and without any service): another reading of the format than ours.
 */
const exec = promisify(execFile);

/** Strict: nothing stands there that cosign does not write. */
const descriptor = { digest: z.string(), size: z.int() };
const documented = z
  .strictObject({
    schemaVersion: z.literal(2),
    mediaType: z.literal("application/vnd.oci.image.manifest.v1+json"),
    config: z.strictObject({
      ...descriptor,
      mediaType: z.literal("application/vnd.oci.image.config.v1+json"),
    }),
    layers: z.tuple([
      z.strictObject({
        ...descriptor,
        mediaType: z.literal("application/vnd.dev.cosign.simplesigning.v1+json"),
        annotations: z.strictObject({ "dev.cosignproject.cosign/signature": z.base64() }),
      }),
    ]),
  })
  .transform(({ layers: [layer] }) => ({ layer }));

describe("a signature in a registry", { skip: absent("docker-registry", "skopeo") }, () => {
  const folder = mkdtempSync(join(tmpdir(), "tideover-cosign-"));
  let registry: LocalRegistry;
  let digest = "";

  before(async () => {
    registry = await startRegistry();
    const store = openRegistry({ url: `http://${registry.host}/team/app` });
    const { built } = loadRelease(join(ROOT, "examples", "estate", "release"));
    digest = built.digest;
    await writeRelease(store, built, ["v1"]);
    const keys = await makeReleaseKeys(null);
    writeFileSync(join(folder, "ours.pub"), keys.publicKey);
    writeFileSync(join(folder, "theirs.pub"), (await makeReleaseKeys(null)).publicKey);
    const key = await readPrivateKey(keys.privateKey, "a test's key", null);
    // skopeo asks for a signature of each manifest of an index, too; Tideover signs the index.
    for (const one of [digest, ...built.manifests.map((manifest) => manifest.digest)]) {
      const reference = `${registry.host}/team/app`;
      const facts = { digest: one, reference, number: 7, expires: "2030-01-01T00:00:00Z" };
      await addSignature(store, one, signPayload(payloadOf(facts), key));
    }
    await store.close();
    const attachments = `docker:\n  ${registry.host}:\n    use-sigstore-attachments: true\n`;
    mkdirSync(join(folder, "registries.d"));
    writeFileSync(join(folder, "registries.d", "default.yaml"), attachments);
  });
  after(async () => {
    await registry?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Copies it where only what this key has signed may be copied. */
  function copyTrusting(key: string) {
    const signed = {
      type: "sigstoreSigned",
      keyPath: join(folder, key),
      signedIdentity: { type: "matchRepository" },
    };
    const docker = { [registry.host]: [signed] };
    const policy = { default: [{ type: "reject" }], transports: { docker } };
    writeFileSync(join(folder, "policy.json"), JSON.stringify(policy));
    const from = `docker://${registry.host}/team/app:v1`;
    return exec(
      "skopeo",
      [
        ...["--policy", join(folder, "policy.json")],
        ...["--registries.d", join(folder, "registries.d")],
        ...["copy", "--all", "--remove-signatures", "--src-tls-verify=false"],
        ...[from, `oci:${join(folder, `copy-${key}`)}:v1`],
      ],
      { timeout: 30_000 },
    );
  }

  test("is what another verifier of cosign's format takes, for the key that made it alone", async (t) => {
    const refused = await copyTrusting("ours.pub").then(
      () => null,
      (error: unknown) => String(error),
    );
    // Debian builds skopeo without its verifier of this format.
    if (refused?.includes("sigstore disabled")) return t.skip("this skopeo cannot verify it");
    assert.equal(refused, null);
    await assert.rejects(copyTrusting("theirs.pub"), /Source image rejected/);
  });

  test("is exactly the manifest, the layer and the payload that cosign documents", async () => {
    const base = `http://${registry.host}/v2/team/app`;
    const response = await fetch(`${base}/manifests/${signatureTag(digest)}`, {
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    });
    assert.equal(
      response.headers.get("content-type"),
      "application/vnd.oci.image.manifest.v1+json",
    );
    const { layer } = documented.parse(await response.json());
    const payload = await (await fetch(`${base}/blobs/${layer.digest}`)).text();
    assert.equal(Buffer.byteLength(payload), layer.size);
    // In this order of keys, as Go writes it.
    assert.equal(
      payload,
      `{"critical":{"identity":{"docker-reference":"${registry.host}/team/app"},"image":{"docker-manifest-digest":"${digest}"},"type":"cosign container image signature"},"optional":{"tideover.expires":"2030-01-01T00:00:00Z","tideover.number":"7"}}`,
    );
  });
});
