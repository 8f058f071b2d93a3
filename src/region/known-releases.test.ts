import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { asKnown } from "../core/publish/releases.ts";
import { TideoverError } from "../lib/errors.ts";
import { KEYS } from "../model/keys.ts";
import type { ReleaseVerifier } from "../ports/releases.ts";
import { SimClock } from "../sim/clock.ts";
import { SIM_RELEASE } from "../sim/estate.ts";
import { MemoryBackend, MemoryStore } from "../sim/store.ts";
import { knownReleases } from "./known-releases.ts";

const { digest } = SIM_RELEASE;

function releasesWith(verify: ReleaseVerifier, known = true) {
  const backend = new MemoryBackend(new SimClock());
  const put = known ? KEYS.release(digest) : "other";
  backend.commit({ compare: [], operations: [{ put, value: asKnown(SIM_RELEASE, 0, "ada") }] });
  return knownReleases(new MemoryStore(backend), verify);
}

describe("a region's releases out of the store", () => {
  it("are there at once, and verified by what they carry", async () => {
    const asked: string[] = [];
    const releases = releasesWith((offered) => {
      asked.push(offered.digest);
      return null;
    });
    assert.match((await releases.fetch(digest, 100)).detail, /^assistant 1\.0\.0/);
    assert.deepEqual(await releases.verify(digest), {
      complete: true,
      detail: "assistant 1.0.0, 1 prompts",
    });
    assert.deepEqual(asked, [digest]);
  });

  it("are refused for good, with the verifier's reason, whether it says or throws it", async () => {
    const reasons: ReleaseVerifier[] = [
      () => "its signature has expired",
      () => {
        throw new TideoverError("its signature has been changed", { code: "RELEASE_TAMPERED" });
      },
    ];
    for (const verify of reasons) {
      await assert.rejects(releasesWith(verify).verify(digest), {
        retry: "never",
        message: /its signature has (expired|been changed)/,
      });
    }
  });

  it("are refused when the estate does not know them", async () => {
    const releases = releasesWith(() => null, false);
    for (const ask of [releases.fetch(digest, 100), releases.verify(digest)]) {
      await assert.rejects(ask, { code: "RELEASE_INVALID", message: /is not known/ });
    }
  });
});
