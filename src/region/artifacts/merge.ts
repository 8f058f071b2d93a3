import { type SignatureArtifact, signatureArtifact } from "../../core/release/signature.ts";
import { canonicalJson } from "../../lib/canonical.ts";
import { type Descriptor, imageManifestSchema } from "../../model/artifact.ts";

/**
 * Cosign keeps all signatures of a digest as layers of one manifest under one tag (likewise its
 * attestations and SBOMs). Two places that were signed in by two people have two manifests there,
 * and whoever copies one over the other takes signatures away.
 */

/** Whether one such manifest has all that another has. */
export function hasAllLayers(manifest: Uint8Array, of: Uint8Array): boolean {
  const own = new Set(layersOf(manifest)?.map(keyOf));
  return layersOf(of)?.every((layer) => own.has(keyOf(layer))) ?? false;
}

/** One manifest with the layers of both, the first's in front; null when one of them has no layers. */
export function mergedLayers(first: Uint8Array, second: Uint8Array): SignatureArtifact | null {
  const [before, after] = [layersOf(first), layersOf(second)];
  if (before === null || after === null) return null;
  const known = new Set(before.map(keyOf));
  return signatureArtifact([], [...before, ...after.filter((one) => !known.has(keyOf(one)))]);
}

/** Two signatures of one text are two layers with one digest: the annotation tells them apart. */
function keyOf({ digest, annotations = {} }: Descriptor): string {
  return `${digest} ${canonicalJson(annotations)}`;
}

function layersOf(manifest: Uint8Array): Descriptor[] | null {
  try {
    const json: unknown = JSON.parse(Buffer.from(manifest).toString("utf8"));
    return imageManifestSchema.safeParse(json).data?.layers ?? null;
  } catch {
    return null;
  }
}
