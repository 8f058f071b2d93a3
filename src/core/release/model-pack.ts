import { ANNOTATIONS, type Descriptor, MEDIA } from "../../model/artifact.ts";
import { partsOf } from "../../model/artifact-parts.ts";

/**
 * CNCF ModelPack (model-spec v1): an OCI image manifest whose artifact type, config and layers say
 * what they are. A registry keeps anything under any digest; that these are weights, and how they
 * are packed, only the media types tell.
 */
const MANIFEST = "application/vnd.cncf.model.manifest.v1+json";
const CONFIG = "application/vnd.cncf.model.config.v1+json";
const LAYER =
  /^application\/vnd\.cncf\.model\.(?:weight|weight\.config|doc|code|dataset)\.v1\.[a-z0-9]+(?:\+[a-z0-9]+)?$/;
const WEIGHT = /^application\/vnd\.cncf\.model\.weight\.v1\./;

/** The models that a release's index names; none of any other manifest. */
export function modelsNamedBy(index: Uint8Array): Descriptor[] {
  const parts = partsOf(index);
  if (parts?.annotations?.[ANNOTATIONS.type] !== MEDIA.release) return [];
  return parts.manifests.filter(({ annotations }) => annotations?.[ANNOTATIONS.role] === "model");
}

/** What keeps a manifest from being that of a ModelPack artifact; null when nothing does. */
export function modelPackFault(manifest: Uint8Array): string | null {
  const parts = partsOf(manifest);
  if (parts === null) return "it is no manifest";
  if (parts.config === undefined) return "it is an index, and a ModelPack artifact is one manifest";
  if (parts.artifactType !== MANIFEST)
    return otherThan("its artifactType", parts.artifactType, MANIFEST);
  const { mediaType } = parts.config;
  if (mediaType !== CONFIG) return otherThan("its config's media type", mediaType, CONFIG);
  const strange = parts.layers.find((layer) => !LAYER.test(layer.mediaType));
  if (strange !== undefined)
    return `its layer ${strange.digest} has the media type ${strange.mediaType}, which is none of ModelPack's`;
  if (parts.layers.some((layer) => WEIGHT.test(layer.mediaType))) return null;
  return "it has no layer of weights";
}

function otherThan(what: string, found: string | undefined, expected: string): string {
  return `${what} is ${found ?? "not there"}, expected ${expected}`;
}
