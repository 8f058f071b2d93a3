import { TideoverError } from "../lib/errors.ts";
import type { RuntimeTarget } from "../model/spec.ts";
import { startRuntime } from "../runtime/server.ts";
import { regionOf } from "./address.ts";
import type { Estate } from "./estate.ts";
import type { Role } from "./role.ts";

/** The reference runtime that a region's target asks for. */
export async function composeRuntime(
  estate: Estate,
  regionName: string,
  targetName: string | undefined,
): Promise<Role> {
  const target = referenceTarget(estate, regionName, targetName);
  const { reference } = target;
  const url = new URL(target.url);
  return startRuntime({
    host: url.hostname,
    port: Number(url.port || 80),
    model: target.model,
    modelDigest: reference.modelDigest,
    quantization: reference.quantization,
    embeddingSalt: reference.embeddingSalt,
    tokenDelayMs: reference.tokenDelay,
    ...embeddingOf(estate),
  });
}

/** Asked for by estates whose release names no embedding model: any name will do. */
const DEFAULT_EMBEDDING = "tideover-lexical";

/** The release names the embedding model, so that every region's runtime offers the same one. */
function embeddingOf(estate: Estate): { embeddingModel: string; dimensions?: number } {
  const embedding = estate.release?.body.embedding;
  return embedding
    ? { embeddingModel: embedding.id, dimensions: embedding.dimensions }
    : { embeddingModel: DEFAULT_EMBEDDING };
}

type ReferenceTarget = RuntimeTarget & { reference: NonNullable<RuntimeTarget["reference"]> };

function referenceTarget(
  estate: Estate,
  regionName: string,
  targetName: string | undefined,
): ReferenceTarget {
  const targets = regionOf(estate, regionName).components.runtime.targets;
  const found = targets.find(
    (target): target is ReferenceTarget =>
      target.reference !== undefined && (targetName === undefined || target.name === targetName),
  );
  if (found) return found;
  const wanted = targetName === undefined ? "no target" : `no target "${targetName}"`;
  throw new TideoverError(`region "${regionName}" has ${wanted} with \`reference:\``, {
    code: "USAGE",
    next: `Its targets are: ${targets.map(({ name }) => name).join(", ")}. Only those with \`reference:\` are started by Tideover.`,
  });
}
