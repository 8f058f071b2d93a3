import { type SignatureJudgement, verifySignature } from "../core/release/signature.ts";
import { messageOf } from "../lib/errors.ts";
import { ANNOTATIONS, MEDIA } from "../model/artifact.ts";
import { partsOf } from "../model/artifact-parts.ts";
import type { ArtifactSource } from "../ports/artifacts.ts";
import { readReleaseFrom, readSignaturesFrom } from "../region/artifacts/release-store.ts";

export interface ListedRelease {
  readonly digest: string;
  readonly tags: readonly string[];
  /** null where it cannot be read. */
  readonly name: string | null;
  readonly version: string | null;
  /** Why it cannot be read; null when every digest of it holds. */
  readonly fault: string | null;
  readonly signature: SignatureJudgement;
}

/** Every release that a tag names, each once, by its lowest tag. Other artifacts are passed over. */
export async function listReleases(
  source: ArtifactSource,
  trust: readonly string[],
  now: number,
): Promise<ListedRelease[]> {
  const tagsOf = new Map<string, string[]>();
  for (const tag of await source.tags()) {
    const found = await source.manifest(tag);
    if (found === null || typeOf(found.bytes) !== MEDIA.release) continue;
    tagsOf.set(found.digest, [...(tagsOf.get(found.digest) ?? []), tag]);
  }
  const listed: ListedRelease[] = [];
  for (const [digest, tags] of tagsOf) listed.push(await listOne(source, digest, tags, trust, now));
  return listed;
}

function typeOf(manifest: Uint8Array): string | undefined {
  return partsOf(manifest)?.annotations?.[ANNOTATIONS.type];
}

async function listOne(
  source: ArtifactSource,
  digest: string,
  tags: readonly string[],
  trust: readonly string[],
  now: number,
): Promise<ListedRelease> {
  const body = await readReleaseFrom(source, digest).then(
    (release) => ({ name: release.body.name, version: release.body.version, fault: null }),
    (error: unknown) => ({ name: null, version: null, fault: messageOf(error) }),
  );
  const signatures = await readSignaturesFrom(source, digest).catch(() => []);
  const signature = verifySignature({ digest, signatures, trust, now, atLeast: null });
  return { digest, tags, ...body, signature };
}
