import { embeddingVersion } from "../../../model/release.ts";
import type { ReleaseFinding, ReleaseRule } from "./rule.ts";

/**
 * The embedding version must be one that every index has: vectors of two versions cannot be
 * compared, so each search would be refused from the moment of activation. An empty index is filled
 * by whatever release is active, and agrees with all.
 */
export const indexEmbedding: ReleaseRule = ({ release, indexes }) => {
  const { embedding } = release.body;
  if (embedding === undefined || indexes === null) return [];
  const version = embeddingVersion(embedding);
  return [...indexes].flatMap(([index, held]): ReleaseFinding[] => {
    if (held.every((one) => one === version)) return [];
    return [
      {
        rule: "index-embedding",
        file: "release.yaml",
        at: ["embedding", embedding.generation === undefined ? "id" : "generation"],
        message: `gives the embedding version ${version}, which index ${index} does not have: it holds ${held.join(" and ")}`,
        instead: "name the version that the index holds, or embed the corpus again first",
        unlikely: false,
      },
    ];
  });
};
