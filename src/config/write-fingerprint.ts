import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMap, parseDocument } from "yaml";
import { messageOf, TideoverError } from "../lib/errors.ts";
import type { Behaviour } from "../model/behaviour.ts";

export interface Fingerprint {
  readonly fingerprint: string;
  readonly behaviour: Behaviour | null;
}

/** The lines for a release.yaml: `model:` with what belongs under it. */
export function fingerprintYaml(taken: Fingerprint): string {
  const document = parseDocument("model: {}");
  put(document, taken);
  return document.toString({ lineWidth: 0 });
}

/**
 * Writes a fingerprint into a folder's release.yaml; everything else there stays, comments included.
 * Throws RELEASE_INVALID when there is no such file, or no `model:` in it.
 */
export function writeFingerprint(folder: string, taken: Fingerprint): string {
  const path = join(folder, "release.yaml");
  try {
    const document = parseDocument(readFileSync(path, "utf8"));
    if (!isMap(document.get("model"))) throw new Error("it has no `model:`");
    put(document, taken);
    writeFileSync(path, document.toString({ lineWidth: 0 }));
    return path;
  } catch (error) {
    throw new TideoverError(`${path} cannot take the fingerprint: ${messageOf(error)}`, {
      code: "RELEASE_INVALID",
      next: "Give the folder that holds release.yaml, with the model's id and digest in it.",
      cause: error,
    });
  }
}

function put(document: ReturnType<typeof parseDocument>, { fingerprint, behaviour }: Fingerprint) {
  const quoted = document.createNode(fingerprint);
  // Sixteen digits without a letter would else be read as a number.
  quoted.type = "QUOTE_DOUBLE";
  document.setIn(["model", "fingerprint"], quoted);
  const model = document.get("model");
  if (isMap(model)) model.flow = false;
  if (behaviour === null) {
    document.deleteIn(["model", "behaviour"]);
    return;
  }
  const { tolerance, answers } = behaviour;
  const lines = answers.map(({ ask, tokens }) => ({
    ask,
    // A line a token: a changed recording is then a readable difference.
    tokens: tokens.map((token) => document.createNode(token, { flow: true })),
  }));
  document.setIn(["model", "behaviour"], document.createNode({ tolerance, answers: lines }));
}
