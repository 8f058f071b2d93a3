import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { openLayout } from "../adapters/artifacts-layout/layout.ts";
import { openRegistry } from "../adapters/artifacts-registry/registry.ts";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { isReferringTag } from "../model/artifact-parts.ts";
import type { ArtifactStore } from "../ports/artifacts.ts";
import { type CopyReport, copyArtifact } from "../region/artifacts/copy.ts";
import type { CopyPlan } from "../region/artifacts/plan.ts";

/** A place for artifacts, and which of them is meant there. */
export interface ArtifactPlace {
  readonly kind: "layout" | "registry";
  /** Folder, or address of the repository. */
  readonly at: string;
  /** Tag or digest; undefined when none was said. */
  readonly ref: string | undefined;
}

/** Tried when no tag was said and there are several: what was built last. */
const LATEST = "latest";

const AT_DIGEST = /^(.+)@(sha256:[0-9a-f]{64})$/;
const AT_TAG = /^(.+):([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$/;
const WEB = /^https?:\/\//;

/**
 * Reads `https://host/team/app:tag`, `…@sha256:…`, `FOLDER`, `FOLDER:tag` and `FOLDER@sha256:…`.
 * `oci:` before a folder, as skopeo writes it, is left out.
 */
export function artifactPlace(text: string): ArtifactPlace {
  if (text === "") throw usage("an empty name is no place for artifacts");
  const kind = WEB.test(text) ? "registry" : "layout";
  const plain = kind === "layout" ? text.replace(/^oci:/, "") : text;
  // A folder whose name has a colon in it, and is there, is meant as it is.
  if (kind === "layout" && existsSync(plain)) return { kind, at: resolve(plain), ref: undefined };
  const [, byDigest, digest] = AT_DIGEST.exec(plain) ?? [];
  const [, byTag, tag] = AT_TAG.exec(plain) ?? [];
  const at = byDigest ?? (isPort(byTag, kind) ? undefined : byTag) ?? plain;
  const ref = digest ?? (at === plain ? undefined : tag);
  return { kind, at: kind === "layout" ? resolve(at) : at, ref };
}

/** `http://host:5000` ends in a port, and not in a tag. */
function isPort(before: string | undefined, kind: ArtifactPlace["kind"]): boolean {
  return kind === "registry" && /^https?:\/\/[^/]*$/.test(before ?? "");
}

export interface OpenOptions {
  /** Environment variable that holds `user:password` or a token; for registries. */
  readonly authEnv?: string | undefined;
  /** File of PEM certificates that a registry's may be of. */
  readonly caFile?: string | undefined;
}

/** Opens a place. Throws USAGE for an address that is none, or a variable that is not set. */
export function openPlace(
  place: Pick<ArtifactPlace, "kind" | "at">,
  { authEnv, caFile }: OpenOptions = {},
): ArtifactStore {
  if (place.kind === "layout") return openLayout({ folder: place.at });
  return openRegistry({
    url: place.at,
    secret: authEnv === undefined ? undefined : secretIn(authEnv),
    authEnv,
    ca: caFile === undefined ? undefined : textOf(caFile),
    uploads: join(homedir(), ".cache", "tideover", "uploads"),
  });
}

function secretIn(name: string): string {
  const secret = process.env[name];
  if (secret) return secret;
  throw new TideoverError(`the environment variable ${name} is not set`, {
    code: "USAGE",
    next: "Set it to `user:password` or to a token of the registry.",
  });
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw usage(`the certificates ${file} cannot be read: ${messageOf(error)}`);
  }
}

export interface CopyBetween {
  readonly from: string;
  readonly to: string;
  readonly fromOptions?: OpenOptions;
  readonly toOptions?: OpenOptions;
  readonly parallel?: number | undefined;
  readonly signal: AbortSignal;
  readonly onPlan: (plan: CopyPlan) => void;
  readonly onBytes: (bytes: number) => void;
}

/** Copies an artifact between two places as people write them. Throws what `copyArtifact` does. */
export async function copyBetween(copy: CopyBetween): Promise<CopyReport> {
  const [from, to] = [artifactPlace(copy.from), artifactPlace(copy.to)];
  if (to.ref?.startsWith("sha256:")) throw usage(`${copy.to}: a copy is given a tag, not a digest`);
  const source = openPlace(from, copy.fromOptions);
  const target = openPlace(to, copy.toOptions);
  try {
    const ref = from.ref ?? (await onlyTag(source, copy.from));
    const { parallel, signal, onPlan, onBytes } = copy;
    return await copyArtifact({
      ...{ source, target, ref, tag: to.ref, parallel, signal, onPlan, onBytes },
      pause: (ms) => paused(ms, signal),
    });
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}

/** What is meant where no tag was said: the only one, or `latest`. */
async function onlyTag(source: ArtifactStore, text: string): Promise<string> {
  const tags = (await source.tags()).filter((tag) => !isReferringTag(tag));
  const [only, another] = tags;
  if (only !== undefined && another === undefined) return only;
  if (tags.includes(LATEST)) return LATEST;
  const shown = tags.slice(0, 20).join(", ");
  throw new TideoverError(`${text} does not say which artifact is meant`, {
    code: "USAGE",
    next: only === undefined ? "There is none with a tag." : `Add :TAG. There are: ${shown}.`,
  });
}

function paused(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
  });
}

function usage(message: string): TideoverError {
  return new TideoverError(message, {
    code: "USAGE",
    next: "Write https://host/team/app:tag, or FOLDER:tag for a folder in OCI's image layout.",
  });
}
