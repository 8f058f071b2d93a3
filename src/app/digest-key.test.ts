import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { readDigestKey } from "./digest-key.ts";

const bytes = randomBytes(32);

test("a digest key is read as hex and as both kinds of base64", () => {
  for (const encoding of ["hex", "base64", "base64url"] as const) {
    const key = readDigestKey("handbook", "KEY", { KEY: ` ${bytes.toString(encoding)}\n` });
    assert.deepEqual(Buffer.from(key), bytes);
  }
});

test("a digest key that is missing, short or garbled is refused without being shown", () => {
  const wrong = {
    "is not set": undefined,
    "is neither hex nor base64": "correct horse battery staple!",
    "holds 16 bytes, fewer than 32": bytes.toString("hex").slice(0, 32),
  };
  for (const [fault, value] of Object.entries(wrong)) {
    assert.throws(
      () => readDigestKey("handbook", "DIGESTS", { DIGESTS: value }),
      (error: Error & { code?: string; next?: string }) => {
        assert.equal(error.code, "USAGE");
        assert.equal(error.message, `indexes.handbook.digestKeyEnv names DIGESTS, which ${fault}.`);
        assert.match(error.next ?? "", /openssl rand -hex 32/);
        return true;
      },
    );
  }
});
