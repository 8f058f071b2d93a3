import { open, readdir, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../../lib/canonical.ts";
import { corrupt, verified } from "../../lib/verified.ts";
import type { Descriptor } from "../../model/artifact.ts";
import {
  cosignTags,
  isDigest,
  MOST_MANIFEST_BYTES,
  partsOf,
  referrerOf,
  referrersTag,
  tagOf,
  uniqueReferrers,
} from "../../model/artifact-parts.ts";
import type { ArtifactStore, FoundManifest } from "../../ports/artifacts.ts";
import { asNotWritable, asUnavailable, isAbsent, missing } from "./failures.ts";
import {
  bytesOf,
  makeLayout,
  moveInto,
  type Places,
  placesIn,
  readIfThere,
  replaceFile,
} from "./files.ts";
import { changeEntries, readEntries, withEntry, withTag } from "./index-file.ts";
import { Partials } from "./partials.ts";
import { inUse, reachableFrom } from "./reach.ts";
import { receive } from "./receive.ts";

export interface LayoutOptions {
  /** Made at the first write; reading a folder that is not there finds nothing. */
  readonly folder: string;
}

/**
 * Artifacts in a folder, in OCI's image layout 1.1: other tools read and write it as well (`skopeo
 * copy … oci:FOLDER:TAG`). Blobs and manifests are files named by their digest, which appear by a
 * rename after they were compared and flushed; tags are in index.json, replaced as a whole.
 *
 * Beside OCI's files there is `.tideover/`: locks, and what is not whole yet. It may be removed
 * while nobody writes; then interrupted copies begin anew.
 */
export function openLayout({ folder }: LayoutOptions): ArtifactStore {
  return new Layout(placesIn(folder));
}

class Layout implements ArtifactStore {
  readonly #places: Places;
  readonly #partials: Partials;
  #made: Promise<void> | null = null;
  /** Blobs that are being written by this handle. */
  readonly #under = new Map<string, Promise<void>>();

  constructor(places: Places) {
    this.#places = places;
    this.#partials = new Partials(places.partials);
  }

  manifest(ref: string): Promise<FoundManifest | null> {
    return this.#reading(async () => {
      if (isDigest(ref)) return this.#manifestAt(ref);
      const entry = (await readEntries(this.#places)).find((one) => tagOf(one) === ref);
      if (entry === undefined) return null;
      const found = await this.#manifestAt(entry.digest);
      if (found === null)
        throw missing(`what tag ${ref} names, ${entry.digest},`, this.#places.root);
      return { ...found, mediaType: entry.mediaType };
    });
  }

  async *blob(descriptor: Descriptor, from?: number): AsyncGenerator<Uint8Array, void, undefined> {
    const path = this.#places.blob(descriptor.digest);
    try {
      await using file = await open(path, "r");
      const bytes = bytesOf(file, from ?? 0);
      yield* from === undefined ? verified(bytes, { ...descriptor, where: path }) : bytes;
    } catch (error) {
      if (isAbsent(error)) throw missing(`blob ${descriptor.digest}`, this.#places.root);
      throw asUnavailable(this.#places.root, error);
    }
  }

  has(digest: string, size?: number): Promise<boolean> {
    return this.#reading(async () => {
      try {
        const found = await stat(this.#places.blob(digest));
        return size === undefined || found.size === size;
      } catch (error) {
        if (isAbsent(error)) return false;
        throw error;
      }
    });
  }

  referrers(digest: string): Promise<Descriptor[]> {
    return this.#reading(async () => {
      const found: Descriptor[] = [];
      for (const entry of await readEntries(this.#places)) {
        found.push(...(await this.#referring(entry, digest)));
      }
      return uniqueReferrers(found);
    });
  }

  tags(): Promise<string[]> {
    return this.#reading(async () => {
      const tags = (await readEntries(this.#places)).map(tagOf);
      return tags.filter((tag) => tag !== undefined).sort();
    });
  }

  putBlob(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>, from = 0): Promise<void> {
    return this.#oneAtATime(descriptor.digest, () =>
      this.#writing(async () => {
        const path = await receive(this.#partials, descriptor, bytes, from);
        await moveInto(path, this.#places.blob(descriptor.digest));
      }),
    );
  }

  async adopt(): Promise<boolean> {
    return false;
  }

  partial(digest: string): Promise<number> {
    return this.#writing(() => this.#partials.kept(digest));
  }

  putManifest(bytes: Uint8Array, mediaType: string, tag?: string): Promise<string> {
    return this.#writing(async () => {
      const digest = sha256(bytes);
      const path = this.#places.blob(digest);
      await replaceFile(path, bytes, await this.#partials.scratch());
      const descriptor = { mediaType, digest, size: bytes.length };
      const subject = partsOf(bytes)?.subject;
      await changeEntries(this.#places, async (entries) => {
        // Looked at under the lock, which `remove` takes, too: what is here now stays.
        await this.#requireParts(bytes, digest);
        if (tag !== undefined) return withTag(entries, descriptor, tag);
        return subject === undefined ? entries : withEntry(entries, descriptor);
      });
      return digest;
    });
  }

  async freeBytes(): Promise<number> {
    return this.#writing(async () => {
      const { bavail, bsize } = await statfs(this.#places.root);
      return bavail * bsize;
    });
  }

  remove(ref: string): Promise<void> {
    return this.#writing(() =>
      changeEntries(this.#places, async (entries) => {
        if (!isDigest(ref)) return entries.filter((one) => tagOf(one) !== ref);
        const reached = await reachableFrom(entries, this.#places);
        const holder = reached.get(ref);
        if (holder !== undefined) throw inUse(ref, holder, this.#places.root);
        await rm(this.#places.blob(ref), { force: true });
        return entries.filter(({ digest }) => digest !== ref);
      }),
    );
  }

  removeUnreached(digests: readonly string[]): Promise<void> {
    return this.#writing(() =>
      changeEntries(this.#places, async (entries) => {
        const reached = await reachableFrom(entries, this.#places);
        const gone = new Set(digests.filter((digest) => !reached.has(digest)));
        for (const digest of gone) await rm(this.#places.blob(digest), { force: true });
        return entries.filter(({ digest }) => !gone.has(digest));
      }),
    );
  }

  unreachable(olderThanMs: number): Promise<string[]> {
    return this.#reading(async () => {
      const reached = await reachableFrom(await readEntries(this.#places), this.#places);
      const unreached: string[] = [];
      for (const name of await namesIn(this.#places.blobs)) {
        const digest = `sha256:${name}`;
        if (!isDigest(digest) || reached.has(digest)) continue;
        const found = await stat(join(this.#places.blobs, name));
        if (Date.now() - found.mtimeMs >= olderThanMs) unreached.push(digest);
      }
      return unreached;
    });
  }

  close(): Promise<void> {
    return this.#partials.close();
  }

  async #manifestAt(digest: string): Promise<FoundManifest | null> {
    const path = this.#places.blob(digest);
    const bytes = await readIfThere(path, MOST_MANIFEST_BYTES);
    if (bytes === null) return null;
    const found = sha256(bytes);
    if (found !== digest) throw corrupt(path, digest, found);
    const parts = partsOf(bytes);
    if (parts === null) return null;
    return { bytes, digest, mediaType: parts.mediaType };
  }

  /** What one entry of index.json says of a digest. */
  async #referring(entry: Descriptor, digest: string): Promise<Descriptor[]> {
    const tag = tagOf(entry);
    const found = await this.#manifestAt(entry.digest);
    if (found === null) return [];
    const parts = partsOf(found.bytes);
    // An index that a copy from a registry without the referrers API left under its tag.
    if (tag === referrersTag(digest)) return [...(parts?.manifests ?? [])];
    if (tag !== undefined && cosignTags(digest).includes(tag)) return [referrerOf(found, tag)];
    return parts?.subject?.digest === digest ? [referrerOf(found)] : [];
  }

  async #requireParts(bytes: Uint8Array, digest: string): Promise<void> {
    for (const blob of partsOf(bytes)?.blobs ?? []) {
      if (await this.has(blob.digest, blob.size)) continue;
      throw missing(`blob ${blob.digest} of manifest ${digest}`, this.#places.root);
    }
  }

  /**
   * Two writers of one blob would share a file. The second waits; what the first has brought and
   * compared is what the second wanted, and its own bytes are not even asked for.
   */
  async #oneAtATime(digest: string, write: () => Promise<void>): Promise<void> {
    const first = this.#under.get(digest);
    if (first !== undefined) {
      const brought = await first.then(
        () => true,
        () => false,
      );
      return brought ? undefined : this.#oneAtATime(digest, write);
    }
    const writing = write().finally(() => this.#under.delete(digest));
    this.#under.set(digest, writing);
    return writing;
  }

  async #reading<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asUnavailable(this.#places.root, error);
    }
  }

  async #writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      this.#made ??= makeLayout(this.#places);
      await this.#made;
      return await work();
    } catch (error) {
      // Made anew at the next write: its folder may have been removed, or be writable by then.
      this.#made = null;
      throw asNotWritable(this.#places.root, error);
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
