import { embeddingVersion } from "../../../model/release.ts";
import type { ReleaseFinding, ReleaseRule } from "./rule.ts";

/**
 * The embedding version must be one that every copy of every index answers: vectors of two versions
 * cannot be compared, so each search would be refused from the moment of activation. An empty index
 * is filled by whatever release is active, and agrees with all.
 */
export const indexEmbedding: ReleaseRule = ({ release, indexes }) => {
  const { embedding } = release.body;
  if (embedding === undefined || indexes === null) return [];
  const version = embeddingVersion(embedding);
  return [...indexes].flatMap(([index, held]): ReleaseFinding[] => {
    if (held.every((copy) => copy.includes(version))) return [];
    const names = [...new Set(held.flat())].sort().join(" and ");
    return [
      {
        rule: "index-embedding",
        file: "release.yaml",
        at: ["embedding", embedding.generation === undefined ? "id" : "generation"],
        message: `gives the embedding version ${version}, which index ${index} does not have: it holds ${names || "none as a whole"}`,
        instead:
          "name a version that the index holds, or run `tideover index reindex --release` with this release first",
        unlikely: false,
      },
    ];
  });
};
