import { promptFor } from "../../model/release-policy.ts";
import { didYouMean } from "../did-you-mean.ts";
import { type FileRule, type Finding, listed, workflowsOf } from "./rule.ts";

/** Rules between a spec and the files that it names. */

export const promptExists: FileRule = (spec, { release }) =>
  workflowsOf(spec).flatMap(([name, { prompt }]): Finding[] => {
    if (prompt === undefined) return [];
    const path = ["workflows", name, "prompt"];
    if (spec.release === undefined) {
      const message = "cannot be found: this file names no release";
      return [{ path, message, instead: "add release: FOLDER at the top of the file" }];
    }
    // A release that could not be read has faults of its own; guessing its prompts adds noise.
    if (release === null || release.prompts[prompt] !== undefined) return [];
    const known = Object.keys(release.prompts);
    const near = didYouMean(prompt, known);
    const instead = near === undefined ? `write one of ${listed(known)}` : `write ${near}`;
    return [{ path, message: "is not a prompt of the release", instead }];
  });

/**
 * A prompt brings documents to the model only where it says `{{documents}}`. A workflow without any
 * prompt is fine: the gateway then gives the documents alone.
 */
export const documentsReachTheModel: FileRule = (spec, { release }) =>
  workflowsOf(spec).flatMap(([name, { prompt: inSpec, retrieval }]): Finding[] => {
    const prompt = promptFor(release, name, inSpec ?? null);
    if (retrieval === undefined || prompt === null) return [];
    const system = release?.prompts[prompt]?.system;
    if (system === undefined || system.includes("{{documents}}")) return [];
    const path = ["workflows", name, "prompt"];
    const message = "does not use {{documents}}, so the documents found would reach no model";
    return [{ path, message, instead: `add {{documents}} to prompts/${prompt}.md` }];
  });

export const searchHasEmbedding: FileRule = (spec, { release }) => {
  const searching = workflowsOf(spec).find(([, { retrieval }]) => retrieval !== undefined);
  if (searching === undefined || release === null || release.embedding !== undefined) return [];
  const message = `names no embedding model, and workflow ${searching[0]} searches an index`;
  return [{ path: ["release"], message, instead: "add embedding: to release.yaml" }];
};

/** The first target is what the release speaks of; a second may be the smaller model on purpose. */
export const targetsRunTheRelease: FileRule = (spec, { release }) =>
  Object.entries(spec.regions).flatMap(([region, { components }]): Finding[] => {
    const digest = components.runtime.targets[0]?.reference?.modelDigest;
    if (release === null || digest === undefined || digest === release.model.digest) return [];
    const start = ["regions", region, "components", "runtime", "targets", 0];
    return [
      {
        path: [...start, "reference", "modelDigest"],
        involves: [["release"]],
        message: `is not the model of the release, ${release.model.id}`,
        instead: `write ${release.model.digest}, or activate a release for this model`,
      },
    ];
  });

export const goldenTenantsExist: FileRule = (spec, { golden }) =>
  [...golden].flatMap(([workflow, set]) => {
    const path = ["workflows", workflow, "golden", "questions"];
    const strangers = new Set(
      [...set.questions, ...set.canaries]
        .map(({ tenant }) => tenant)
        .filter((tenant) => spec.tenants[tenant] === undefined),
    );
    return [...strangers].map((tenant) => ({
      path,
      involves: [["tenants", tenant]],
      message: `asks as tenant ${tenant}, who is not a tenant here`,
      instead: `add ${tenant} under tenants, or correct the file`,
    }));
  });
