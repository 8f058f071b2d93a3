import { modelPackFault, modelsNamedBy } from "../../core/release/model-pack.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { ArtifactTree } from "./tree.ts";

/**
 * Requires that what a release names as its models are models, as far as they are in this place.
 * Before forty gigabytes are copied, and again where they lie: a digest that was pasted into the
 * wrong line is found out when the release is pushed, and not when a region has to load it. Throws
 * ARTIFACT_INVALID.
 */
export function requireModels({ root, manifests }: Pick<ArtifactTree, "root" | "manifests">): void {
  for (const { digest } of modelsNamedBy(root.bytes)) {
    const model = manifests.find((one) => one.digest === digest);
    const fault = model === undefined ? null : modelPackFault(model.bytes);
    if (fault !== null) throw noModel(digest, fault);
  }
}

function noModel(digest: string, fault: string): TideoverError {
  return new TideoverError(
    `the release names ${digest} as its model, and that is no CNCF ModelPack artifact: ${fault}`,
    {
      code: "ARTIFACT_INVALID",
      next: "Pack the weights as ModelPack (`modctl build`, `kit pack --use-model-pack`), push them, and name that digest under artifacts.runtime.model in release.yaml.",
    },
  );
}
