import { TideoverError } from "../../lib/errors.ts";
import type { RegionReleases } from "../../ports/releases.ts";
import type { ArtifactKeeper } from "./keeper.ts";

/**
 * A region's releases with all that they are made of: what `releases` says of their prompts, routes
 * and signatures, and the bytes of models and images that the keeper brings and compares.
 */
export function withArtifacts(
  releases: RegionReleases,
  keeper: Pick<ArtifactKeeper, "fetch" | "verify">,
): RegionReleases {
  return {
    async fetch(digest, timeoutMs) {
      const known = await releases.fetch(digest, timeoutMs);
      if (!known.complete) return known;
      const held = await keeper.fetch(digest, timeoutMs).catch((error: unknown) => {
        throw asRefused(error);
      });
      return { ...held, detail: `${known.detail}; ${held.detail}` };
    },
    async verify(digest) {
      const known = await releases.verify(digest);
      const held = await keeper.verify(digest).catch((error: unknown) => {
        throw asRefused(error);
      });
      return { ...held, detail: `${known.detail}; ${held.detail}` };
    },
  };
}

/** Bytes that are wrong refuse the release; a disk that cannot be read says nothing of it. */
function asRefused(error: unknown): unknown {
  if (!(error instanceof TideoverError)) return error;
  if (error.code !== "ARTIFACT_CORRUPT" && error.code !== "ARTIFACT_INVALID") return error;
  return new TideoverError(error.message, {
    code: "RELEASE_INVALID",
    cause: error,
    ...(error.next === undefined ? {} : { next: error.next }),
  });
}
