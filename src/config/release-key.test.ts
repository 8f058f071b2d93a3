import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import {
  makeReleaseKeys,
  publicKeyOf,
  readPrivateKey,
  readPublicKey,
  signPayload,
} from "./release-key.ts";
import { tempFolder } from "./temp-folder.fixture.ts";

const openssl = (...args: readonly string[]): string =>
  execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

test("a new pair is what cosign takes: P-256, SPKI in PEM, and the key encrypted by a password", async () => {
  const { privateKey, publicKey } = await makeReleaseKeys("open sesame");
  assert.match(privateKey, /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/);
  const [, body = ""] = privateKey.split(/-----[A-Z ]+-----/);
  const { kdf, cipher, ciphertext } = JSON.parse(`${Buffer.from(body, "base64")}`);
  assert.deepEqual(
    [kdf.name, kdf.params, cipher.name],
    ["scrypt", { N: 65_536, r: 8, p: 1 }, "nacl/secretbox"],
  );
  const lengths = [kdf.salt, cipher.nonce].map((text) => Buffer.from(text, "base64").length);
  assert.deepEqual(lengths, [32, 24]);
  assert.ok(Buffer.from(ciphertext, "base64").length > 100);
  using folder = tempFolder({ "cosign.pub": publicKey });
  assert.match(
    openssl("pkey", "-pubin", "-in", folder.at("cosign.pub"), "-text", "-noout"),
    /P-256/,
  );
});

test("an encrypted key opens with its password, and with no other", async () => {
  const { privateKey, publicKey } = await makeReleaseKeys("open sesame");
  const key = await readPrivateKey(
    privateKey.replaceAll("\n", "\r\n"),
    "cosign.key",
    "open sesame",
  );
  assert.equal(publicKeyOf(key), publicKey);
  await assert.rejects(readPrivateKey(privateKey, "cosign.key", "guessed"), {
    code: "KEY_INVALID",
    message: "cosign.key does not open with this password",
  });
  await assert.rejects(readPrivateKey(privateKey, "cosign.key", null), {
    code: "KEY_INVALID",
    next: "Set COSIGN_PASSWORD.",
  });
});

test("a key with an empty password is a key with a password, as with cosign", async () => {
  const { privateKey, publicKey } = await makeReleaseKeys("");
  assert.equal(publicKeyOf(await readPrivateKey(privateKey, "k", "")), publicKey);
});

test("openssl alone verifies what was signed, and refuses it once it was changed", async () => {
  const { privateKey, publicKey } = await makeReleaseKeys(null);
  const payload = '{"critical":{}}';
  const { signature } = signPayload(payload, await readPrivateKey(privateKey, "cosign.key", null));
  using folder = tempFolder({
    "cosign.pub": publicKey,
    "payload.json": payload,
    "other.json": payload.replace("critical", "optional"),
    "payload.sig": Buffer.from(signature, "base64"),
  });
  const verify = (file: string): string =>
    openssl(
      ...["dgst", "-sha256", "-verify", folder.at("cosign.pub")],
      ...["-signature", folder.at("payload.sig"), folder.at(file)],
    );
  assert.equal(verify("payload.json"), "Verified OK\n");
  assert.throws(() => verify("other.json"), { stdout: "Verification failure\n" });
});

test("a key that openssl made, unencrypted, signs as well", async () => {
  using folder = tempFolder({});
  openssl(...["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", folder.at("ec.key")]);
  const key = await readPrivateKey(openssl("pkey", "-in", folder.at("ec.key")), "ec.key", null);
  assert.equal(publicKeyOf(key), openssl("pkey", "-in", folder.at("ec.key"), "-pubout"));
});

test("what is no such key is refused in words", async () => {
  const ed25519 = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const { privateKey } = await makeReleaseKeys("p");
  const marks = "ENCRYPTED SIGSTORE PRIVATE KEY";
  const broken = `-----BEGIN ${marks}-----\ne30=\n-----END ${marks}-----\n`;
  const refused = async (work: () => unknown): Promise<string> => {
    const error = await (async () => work())().then(
      () => assert.fail("it was taken"),
      (reason: unknown) => reason,
    );
    assert.ok(
      error instanceof Error && "code" in error && error.code === "KEY_INVALID",
      `${error}`,
    );
    return error.message;
  };
  assert.deepEqual(
    [
      await refused(() => readPrivateKey("hello", "k", null)),
      await refused(() => readPrivateKey(ed25519.privateKey, "k", null)),
      await refused(() => readPrivateKey(broken, "k", "p")),
      await refused(() => readPublicKey("hello", "k")),
      await refused(() => readPublicKey(ed25519.publicKey, "k")),
      await refused(() => readPublicKey(privateKey, "k")),
    ],
    [
      "k holds no private key that can be read",
      "k holds a key of another kind (ed25519), not ECDSA P-256",
      "k is no encrypted key that can be read",
      "k holds no public key",
      "k holds a key of another kind (ed25519), not ECDSA P-256",
      "k holds a private key",
    ],
  );
});

test("a key file that asks for all the memory is refused before it gets any", async () => {
  const { privateKey } = await makeReleaseKeys("p");
  const [, body = ""] = privateKey.split(/-----[A-Z ]+-----/);
  const greedy = `${Buffer.from(body, "base64")}`.replace('"N":65536', '"N":2147483648');
  const marks = "ENCRYPTED COSIGN PRIVATE KEY";
  const pem = `-----BEGIN ${marks}-----\n${Buffer.from(greedy).toString("base64")}\n-----END ${marks}-----\n`;
  await assert.rejects(readPrivateKey(pem, "k", "p"), /k is no encrypted key that can be read/);
});
