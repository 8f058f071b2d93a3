import { TideoverError } from "../lib/errors.ts";
import { KEYS } from "../model/keys.ts";
import { type KnownRelease, knownReleaseSchema } from "../model/release-intent.ts";
import type { RegionReleases, ReleaseVerifier } from "../ports/releases.ts";
import type { Store } from "../ports/store.ts";

/**
 * The releases of an estate whose prompts, routes and policy come out of the store, and whose
 * weights are none of Tideover's business: nothing is copied but what the store holds anyway.
 */
export function knownReleases(store: Store, verify: ReleaseVerifier): RegionReleases {
  async function read(digest: string): Promise<KnownRelease> {
    const entry = await store.get(KEYS.release(digest));
    if (entry === null) throw refused(`release ${digest} is not known to the estate`);
    return knownReleaseSchema.parse(entry.value);
  }
  return {
    async fetch(digest) {
      const { body } = await read(digest);
      return { complete: true, detail: `${body.name} ${body.version}, from the estate's store` };
    },
    async verify(digest) {
      const { body, signatures, parts } = await read(digest);
      const why = await verify({ digest, body, signatures, parts });
      if (why !== null) throw refused(`release ${digest}: ${why}`);
      const prompts = Object.keys(body.prompts).length;
      return { complete: true, detail: `${body.name} ${body.version}, ${prompts} prompts` };
    },
  };
}

function refused(message: string): TideoverError {
  return new TideoverError(message, {
    code: "RELEASE_INVALID",
    next: "Build and sign the release again, and activate that one.",
  });
}
