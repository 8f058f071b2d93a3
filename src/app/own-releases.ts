import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readPrivateKey } from "../config/release-key.ts";
import type { LoadedRelease } from "../core/publish/releases.ts";
import type { BuiltRelease } from "../core/release/build.ts";
import {
  type ReleaseSignature,
  type SignatureFault,
  signatureError,
  verifySignature,
} from "../core/release/signature.ts";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { KEYS } from "../model/keys.ts";
import { releaseSpecOf } from "../model/spec.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { copyArtifact, keptTag } from "../region/artifacts/copy.ts";
import { readSignaturesFrom, writeRelease } from "../region/artifacts/release-store.ts";
import { artifactPlace, openPlace } from "./artifact-places.ts";
import type { Estate } from "./estate.ts";
import { ensureOwnKey, signsItself } from "./own-key.ts";
import { withLayout } from "./release-places.ts";
import { nextReleaseNumber, signRelease } from "./release-signing.ts";
import { claimsOf, loadedRelease } from "./release-trust.ts";
import { namedTrust } from "./trust-root.ts";

/** What a first start needs to be told of, and to tell. */
interface Beginning {
  readonly store: Pick<Store, "get">;
  readonly clock: Clock;
  readonly logger: { error(details: object, message: string): void };
}

/**
 * The release that an estate begins with, with the signatures that its regions will ask for. Where
 * keys are trusted and no signature is found, an estate that has not begun yet must not begin: every
 * gateway would refuse what its controller publishes. One that runs already goes on without its
 * folder: a controller that is restarted in a disaster must not fail for an edited file.
 */
export async function firstRelease(
  estate: Estate,
  { store, clock, logger }: Beginning,
): Promise<LoadedRelease | null> {
  if (estate.release === null) return null;
  try {
    const trust = namedTrust(estate)();
    return await trustedFolder(estate, estate.release.built, { trust, now: clock.now() });
  } catch (error) {
    if ((await store.get(KEYS.releaseIntent)) === null) throw error;
    const next = error instanceof TideoverError ? error.next : undefined;
    logger.error({ next }, `the release folder is not made known: ${messageOf(error)}`);
    return null;
  }
}

/**
 * A release folder as its estate may serve it. Throws RELEASE_UNSIGNED and its like, with what to
 * do, where the estate trusts keys and none of them signed it.
 */
export async function trustedFolder(
  estate: Estate,
  built: BuiltRelease,
  { trust, now }: { readonly trust: readonly string[]; readonly now: number },
): Promise<LoadedRelease> {
  const release = await withSignatures(estate, built);
  const { digest, signatures = [] } = release;
  if (trust.length === 0) return release;
  const judged = verifySignature({ digest, signatures, trust, now, atLeast: null });
  if (judged.ok) return release;
  throw folderRefused(estate, digest, judged);
}

/**
 * A release folder with the signatures that are at hand: made by the estate's own key where it signs
 * for itself; else those that lie in its own layout, or where its regions copy from.
 */
export async function withSignatures(estate: Estate, built: BuiltRelease): Promise<LoadedRelease> {
  const release = loadedRelease({ built });
  const trusts = (releaseSpecOf(estate.spec)?.trust ?? []).length > 0;
  if (!trusts && !signsItself(estate)) return release;
  const own = signsItself(estate)
    ? await signedHere(estate, built)
    : await foundHere(estate, built);
  const signatures = [...own, ...(trusts ? await foundAtSource(estate, built) : [])];
  const trust = namedTrust(estate)();
  return { ...release, signatures, ...claimsOf({ digest: built.digest, signatures }, trust) };
}

/** Puts it into the estate's own layout, and signs it there unless the own key did so before. */
export function signedHere(estate: Estate, built: BuiltRelease): Promise<ReleaseSignature[]> {
  const { privateFile, publicFile } = ensureOwnKey(estate.data);
  const { digest } = built;
  return withLayout(estate.data.releases, async (store) => {
    await writeRelease(store, built, [tagOf(built)]);
    const signatures = await readSignaturesFrom(store, digest);
    const trust = [readFileSync(publicFile, "utf8")];
    if (verifySignature({ digest, signatures, trust, now: null, atLeast: null }).ok)
      return signatures;
    const key = await readPrivateKey(readFileSync(privateFile, "utf8"), privateFile, null);
    const number = await nextReleaseNumber(store);
    await signRelease(store, digest, key, { number, expires: null, reference: null });
    return readSignaturesFrom(store, digest);
  });
}

/**
 * Brings a release that was built and signed elsewhere to where this estate's regions copy from.
 * Nothing where they copy from another place, and nothing that no trusted key has signed: who is
 * asked to activate it says so. Throws what copying throws.
 */
export async function bringHome(
  estate: Estate,
  layout: string,
  { digest, signatures = [] }: LoadedRelease,
): Promise<void> {
  if (!copiesFromOwn(estate)) return;
  const trust = namedTrust(estate)();
  const judged = verifySignature({ digest, signatures, trust, now: null, atLeast: null });
  if (!judged.ok) return;
  await withLayout(layout, (source) =>
    withLayout(estate.data.releases, (target) =>
      copyArtifact({ source, target, ref: digest, pause: async () => undefined }),
    ),
  );
}

/** Whether the regions copy from the estate's own layout: it signs, and names no other place. */
export function copiesFromOwn(estate: Pick<Estate, "spec">): boolean {
  return signsItself(estate) && estate.spec.artifacts === undefined;
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

function tagOf({ body: { version }, digest }: BuiltRelease): string {
  return TAG.test(version) ? version : keptTag(digest);
}

async function foundHere({ data }: Estate, { digest }: BuiltRelease): Promise<ReleaseSignature[]> {
  if (!existsSync(join(data.releases, "oci-layout"))) return [];
  return withLayout(data.releases, (store) => readSignaturesFrom(store, digest));
}

async function foundAtSource(
  { spec: { artifacts } }: Estate,
  { digest }: BuiltRelease,
): Promise<ReleaseSignature[]> {
  if (artifacts === undefined) return [];
  const source = openPlace(artifactPlace(artifacts.from), artifacts);
  try {
    return await readSignaturesFrom(source, digest);
  } finally {
    await source.close();
  }
}

function folderRefused(
  { spec, data }: Estate,
  digest: string,
  judged: { readonly code: SignatureFault; readonly because: string },
): TideoverError {
  const { folder = "release" } = releaseSpecOf(spec) ?? {};
  const { message, code } = signatureError(judged);
  const source = spec.artifacts === undefined ? "" : ` and in ${spec.artifacts.from}`;
  return new TideoverError(
    `this estate serves signed releases only, and its folder ${folder} is not one: ${message} (looked in ${data.releases}${source} for the signature of ${digest})`,
    {
      code,
      next: `Sign it there: \`tideover release build ${folder} -o ${data.releases}\`, then \`tideover release sign ${data.releases} --key cosign.key\` with the key of a public one in release.trust.`,
    },
  );
}
