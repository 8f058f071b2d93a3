import { TideoverError } from "../../lib/errors.ts";
import { type Descriptor, MEDIA } from "../../model/artifact.ts";
import { isDigest } from "../../model/artifact-parts.ts";
import type { ArtifactSource, ArtifactStore, FoundManifest } from "../../ports/artifacts.ts";
import { eachLimited } from "../each-limited.ts";
import { hasAllLayers, mergedLayers } from "./merge.ts";
import { requireModels } from "./models.ts";
import { type BlobToCopy, type CopyPlan, type Held, planCopy } from "./plan.ts";
import { resuming } from "./resume.ts";
import { type ArtifactTree, type ReferrerTree, readReferrers, readTree } from "./tree.ts";

/** Blobs under way at one time. More do not go faster, and a kill loses more of them. */
const PARALLEL = 3;
/** Questions of the target under way at one time. */
const LOOKS = 16;
/** A target that loses what it was given (somebody collects there) is filled again so often. */
const ROUNDS = 3;
/** Left free on the target's disk, in bytes: a full disk takes more down than this copy. */
const MARGIN_BYTES = 64 * 1_048_576;

export interface CopyOptions {
  readonly source: ArtifactSource;
  readonly target: ArtifactStore;
  /** Tag or digest in the source. */
  readonly ref: string;
  /** Tag in the target; the source's own when absent, and `keptTag` for a digest. */
  readonly tag?: string | undefined;
  readonly parallel?: number | undefined;
  /** Digests that are copied although the target has them: those that were found to be wrong. */
  readonly again?: ReadonlySet<string> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Waits between attempts, in ms; ends early when the copy is given up. */
  readonly pause: (ms: number) => Promise<void>;
  readonly onPlan?: ((plan: CopyPlan) => void) | undefined;
  /** Bytes that came from the source, as they come. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

export interface CopyReport {
  /** What the reference meant. */
  readonly digest: string;
  readonly tag: string;
  /** Bytes of all blobs, and of those that had to be copied. */
  readonly totalBytes: number;
  readonly copiedBytes: number;
  readonly copiedBlobs: number;
  readonly copiedManifests: number;
  /** Digests of the signatures, SBOMs and the like that both sides have of it now. */
  readonly referrers: readonly string[];
  /** Those that only the target has: it is not ours to take them away. */
  readonly extraReferrers: readonly string[];
}

/**
 * Copies an artifact with all that speaks of it, and takes nothing away that speaks of it in the
 * target already: signatures under one tag are put together (ADR 0014). Blobs first, manifests after all that they name,
 * the tag last: whoever sees the tag sees all of it. Every byte is compared with its digest on the
 * way. Interrupted anywhere, it is called again and goes on with what is there.
 *
 * Throws DISK_FULL and ARTIFACT_INVALID before anything is written, ARTIFACT_CORRUPT, ARTIFACT_MISSING, UNAUTHORIZED,
 * ARTIFACTS_UNAVAILABLE.
 */
export async function copyArtifact(options: CopyOptions): Promise<CopyReport> {
  const { source, ref } = options;
  const tree = await readTree(source, ref, options.target);
  requireModels(tree);
  const referrers = await readReferrers(source, tree);
  const tag = options.tag ?? (isDigest(ref) ? keptTag(ref) : ref);
  const done = await copyAll(options, [tree, ...referrers.map((one) => one.tree)]);
  await putReferrers(options, referrers);
  await putRoot(options, tree.root, tag);
  const extraReferrers = await compareReferrers(options, tree, referrers);
  return {
    digest: tree.root.digest,
    tag,
    ...done,
    referrers: referrers.map(({ tree: { root } }) => root.digest).sort(),
    extraReferrers,
  };
}

/** Whether the manifest that the target lists under the tag has all that this one has. */
async function isIn(
  target: ArtifactStore,
  tag: string | undefined,
  root: FoundManifest,
  listed: ReadonlySet<string>,
): Promise<boolean> {
  const found = tag === undefined ? null : await target.manifest(tag);
  return found !== null && listed.has(found.digest) && hasAllLayers(found.bytes, root.bytes);
}

/** Name that keeps an artifact which was asked for by its digest from being collected. */
export function keptTag(digest: string): string {
  return `kept-${digest.slice("sha256:".length)}`;
}

/** Until the target has every blob and manifest of the trees, however it loses them meanwhile. */
async function copyAll(options: CopyOptions, trees: readonly ArtifactTree[]) {
  const manifests = new Map(
    trees.flatMap((tree) => tree.manifests.map((one) => [one.digest, one])),
  );
  const blobs = [
    ...new Map(trees.flatMap((tree) => tree.blobs.map((one) => [one.digest, one]))).values(),
  ];
  let again = options.again ?? new Set<string>();
  const done = { totalBytes: 0, copiedBytes: 0, copiedBlobs: 0, copiedManifests: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    const held = await lookAt(options.target, blobs, [...manifests.values()], again);
    const plan = planCopy({ blobs, manifests: [...manifests.keys()], held });
    done.totalBytes = plan.bytes.total;
    if (round === 0) options.onPlan?.(plan);
    if (plan.blobs.length + plan.manifests.length === 0) return done;
    await requireSpace(options.target, plan);
    await pull(options, plan);
    await putManifests(options.target, plan, manifests);
    done.copiedBytes += plan.bytes.missing;
    done.copiedBlobs += plan.blobs.length;
    done.copiedManifests += plan.manifests.length;
    again = new Set();
  }
  throw new TideoverError("the target loses what is copied to it while it is copied", {
    code: "ARTIFACT_MISSING",
    retry: "later",
    next: "Find out who deletes there, then copy again.",
  });
}

async function lookAt(
  target: ArtifactStore,
  blobs: readonly Descriptor[],
  manifests: readonly FoundManifest[],
  again: ReadonlySet<string>,
): Promise<Map<string, Held>> {
  const held = new Map<string, Held>();
  await eachLimited(blobs, LOOKS, async ({ digest, size }) => {
    const whole = !again.has(digest) && (await target.has(digest, size));
    held.set(digest, whole ? "whole" : await target.partial(digest));
  });
  await eachLimited(manifests, LOOKS, async ({ digest }) => {
    if (await hasManifest(target, digest)) held.set(digest, "whole");
  });
  return held;
}

/** Manifests are small, so that they are read and compared: one that is wrong is put again. */
async function hasManifest(target: ArtifactStore, digest: string): Promise<boolean> {
  try {
    return (await target.manifest(digest)) !== null;
  } catch (error) {
    if (error instanceof TideoverError && error.code === "ARTIFACT_CORRUPT") return false;
    throw error;
  }
}

/** Before the first byte: half a model is of no use, and a full disk stops the whole region. */
async function requireSpace(target: ArtifactStore, { bytes }: CopyPlan): Promise<void> {
  const free = await target.freeBytes();
  if (free === null || bytes.missing === 0) return;
  const needed = bytes.missing + MARGIN_BYTES;
  if (free >= needed) return;
  throw new TideoverError(
    `the copy needs ${needed} bytes (${bytes.missing} and ${MARGIN_BYTES} to spare), and ${free} are free: ${needed - free} are missing`,
    {
      code: "DISK_FULL",
      retry: "later",
      next: "Free that much on the target's disk, then copy again. Nothing was written.",
    },
  );
}

async function pull(options: CopyOptions, plan: CopyPlan): Promise<void> {
  // The first that fails ends the others, and is told when they have ended: whoever is told that a
  // copy failed may take the target away. What they have is kept. A signal of its own, since one that
  // is made of several is slow to ask, and it is asked for every chunk.
  const given = options.signal;
  const stop = new AbortController();
  const giveUp = (): void => stop.abort(given?.reason);
  given?.addEventListener("abort", giveUp, { once: true });
  if (given?.aborted) giveUp();
  const failures: unknown[] = [];
  try {
    await eachLimited(plan.blobs, options.parallel ?? PARALLEL, async (blob) => {
      try {
        stop.signal.throwIfAborted();
        await pullOne({ ...options, signal: stop.signal }, blob);
      } catch (error) {
        failures.push(error);
        stop.abort(error);
      }
    });
  } finally {
    given?.removeEventListener("abort", giveUp);
  }
  if (failures.length > 0) throw failures[0];
}

async function pullOne(options: CopyOptions, { descriptor, from }: BlobToCopy): Promise<void> {
  const { source, target } = options;
  if (from === 0 && (await target.adopt(descriptor, source))) return;
  await target.putBlob(descriptor, resuming(source, descriptor, from, options), from);
}

async function putManifests(
  target: ArtifactStore,
  plan: CopyPlan,
  manifests: ReadonlyMap<string, FoundManifest>,
): Promise<void> {
  for (const digest of plan.manifests) {
    const manifest = manifests.get(digest);
    if (manifest !== undefined) await target.putManifest(manifest.bytes, manifest.mediaType);
  }
}

async function putReferrers(
  { target }: CopyOptions,
  referrers: readonly ReferrerTree[],
): Promise<void> {
  for (const { tree, tag } of referrers) {
    if (tag !== undefined) await putTagged(target, tree.root, tag);
  }
}

/** What the target has under the tag stays in it: it may be another signer's word. */
async function putTagged(target: ArtifactStore, root: FoundManifest, tag: string): Promise<void> {
  const there = await target.manifest(tag);
  if (there !== null && hasAllLayers(there.bytes, root.bytes)) return;
  const both = there === null ? null : mergedLayers(there.bytes, root.bytes);
  if (both === null || hasAllLayers(root.bytes, both.manifest)) {
    await target.putManifest(root.bytes, root.mediaType, tag);
    return;
  }
  for (const { descriptor, bytes } of both.blobs) await target.putBlob(descriptor, once(bytes));
  await target.putManifest(both.manifest, MEDIA.manifest, tag);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

async function putRoot({ target }: CopyOptions, root: FoundManifest, tag: string): Promise<void> {
  if (await isTagged(target, tag, root.digest)) return;
  await target.putManifest(root.bytes, root.mediaType, tag);
}

async function isTagged(target: ArtifactStore, tag: string, digest: string): Promise<boolean> {
  return (await target.manifest(tag))?.digest === digest;
}

/**
 * The target must list all that the source lists: a release without its signature is refused when it
 * is needed, so that a copy which lost one fails here, ahead of need. It may list more, which is
 * told and left alone: a signature counts by the key that made it, so that one more gives nobody any
 * power, and taking away what others put there is not a copy's business.
 */
async function compareReferrers(
  { target }: CopyOptions,
  tree: ArtifactTree,
  referrers: readonly ReferrerTree[],
): Promise<string[]> {
  const subjects = [tree, ...referrers.map((one) => one.tree)].flatMap((one) =>
    one.manifests.map(({ digest }) => digest),
  );
  const found = await eachLimited(subjects, LOOKS, (subject) => target.referrers(subject));
  const there = new Set(found.flat().map(({ digest }) => digest));
  const wanted = referrers.map(({ tree: { root } }) => root.digest);
  const lost: string[] = [];
  for (const { tree: found, tag } of referrers) {
    const { digest } = found.root;
    if (!there.has(digest) && !(await isIn(target, tag, found.root, there))) lost.push(digest);
  }
  if (lost.length === 0) return [...there].filter((digest) => !wanted.includes(digest)).sort();
  throw new TideoverError(
    `the target does not list ${lost.join(", ")} as speaking of ${tree.root.digest}, and the source does`,
    {
      code: "ARTIFACT_MISSING",
      retry: "later",
      next: "Copy again; if it stays, the target keeps no referrers (signatures, SBOMs).",
    },
  );
}
