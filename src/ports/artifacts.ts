import type { Descriptor } from "../model/artifact.ts";

/**
 * A place that artifacts are read from: a folder in OCI's image layout, or a registry.
 *
 * Guarantees every adapter gives (test/contract/artifacts.ts proves them):
 * - Absence is a value: `manifest` gives null and `has` gives false. Only `blob` throws
 *   ARTIFACT_MISSING, since its caller was told of the blob by a manifest.
 * - What has a digest is compared with it before it is given away as a whole: `manifest`, and `blob`
 *   without `from`, throw ARTIFACT_CORRUPT with the digest expected and the digest found.
 * - A place that does not answer throws ARTIFACTS_UNAVAILABLE (retry: later). It is never taken for
 *   one that has nothing.
 * - Tags are names that move; digests are not. A copy or a check that must hold goes by digest.
 */
export interface ArtifactSource {
  /** By tag or by digest (`sha256:…`). The bytes are exactly those that the digest is of. */
  manifest(ref: string): Promise<FoundManifest | null>;
  /**
   * The bytes of a blob, as they come. Without `from` all of them, and the end throws
   * ARTIFACT_CORRUPT when digest or size are wrong: nothing may be believed before the end. With
   * `from` (also 0) those from there on, NOT compared: the caller has the bytes before, and hashes.
   */
  blob(descriptor: Descriptor, from?: number): AsyncIterable<Uint8Array>;
  /** Whether a blob or a manifest is there; with `size`, also whether it has this many bytes. */
  has(digest: string, size?: number): Promise<boolean>;
  /**
   * What speaks of this digest: signatures, SBOMs, attestations. By OCI 1.1 (`subject`), and by
   * cosign's tags (`sha256-<hex>.sig`, `.att`, `.sbom`), whose descriptors name their tag in the
   * annotation `org.opencontainers.image.ref.name`. Sorted by digest, each once.
   */
  referrers(digest: string): Promise<Descriptor[]>;
  /** Sorted. */
  tags(): Promise<string[]>;
  /** Ends what is under way. What was kept of interrupted writes stays for whoever opens it next. */
  close(): Promise<void>;
}

/**
 * A place that artifacts are written to as well. Several processes may write at once.
 *
 * - Nothing is visible before its digest was compared, and everything visible survives a SIGKILL.
 * - A manifest is refused (ARTIFACT_MISSING) while a blob that it names is not there, so that what
 *   a tag names is never half there. An index may name manifests that are not there (OCI's sparse
 *   index).
 * - Bytes of an interrupted `putBlob` are kept where the place can keep them: `partial` says how
 *   many. A place that cannot keep them says 0, and the blob is sent from its start.
 */
export interface ArtifactStore extends ArtifactSource {
  /**
   * Keeps a blob. `bytes` begin at `from` (0 when absent), which is either 0 or what `partial` gave
   * last: anything else throws STORE_CONFLICT. Throws ARTIFACT_CORRUPT when size or digest differ,
   * and then keeps none of it. A blob that is there already is written over: this mends it.
   */
  putBlob(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>, from?: number): Promise<void>;
  /**
   * Takes a blob over from a source in the same place without moving its bytes (another repository
   * of the same registry); false when that cannot be, and it must be sent.
   */
  adopt(descriptor: Descriptor, source: ArtifactSource): Promise<boolean>;
  /** Bytes kept of an interrupted `putBlob`, which this handle then goes on with; 0 when none. */
  partial(digest: string): Promise<number>;
  /**
   * Keeps a manifest, and lets the tag name it. Gives its digest. One with a `subject` is found by
   * `referrers` from then on. Without a tag, and named by nothing else, it may be collected.
   */
  putManifest(bytes: Uint8Array, mediaType: string, tag?: string): Promise<string>;
  /** Bytes that may still be written; null when nobody can say. */
  freeBytes(): Promise<number | null>;
  /**
   * Lets go of a tag, or of the bytes of a digest. Refuses (ARTIFACT_IN_USE) a digest that a tag
   * reaches, itself or by what it names. What is not there is let go of already.
   */
  remove(ref: string): Promise<void>;
  /** `remove` for many digests in one look: those that a tag reaches stay, without an error. */
  removeUnreached(digests: readonly string[]): Promise<void>;
  /** Digests of everything kept that no tag reaches and that is older than `olderThanMs`. */
  unreachable(olderThanMs: number): Promise<string[]>;
}

export interface FoundManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: string;
}
