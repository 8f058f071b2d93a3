import { type Descriptor, type ImageIndex, imageIndexSchema, MEDIA } from "../../model/artifact.ts";
import {
  cosignTags,
  referrerOf,
  referrersTag,
  uniqueReferrers,
} from "../../model/artifact-parts.ts";
import type { FoundManifest } from "../../ports/artifacts.ts";
import { unavailable } from "./failures.ts";
import { jsonOf, type RegistryHttp } from "./http.ts";
import { readPages } from "./pages.ts";

const ATTEMPTS = 5;

export interface ManifestsOf {
  read(ref: string): Promise<FoundManifest | null>;
  write(bytes: Uint8Array, mediaType: string, ref: string): Promise<unknown>;
}

/** What speaks of a digest in a registry, with and without its referrers API. */
export class Referrers {
  readonly #http: RegistryHttp;
  readonly #manifests: ManifestsOf;
  /** One change of a list at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(http: RegistryHttp, manifests: ManifestsOf) {
    this.#http = http;
    this.#manifests = manifests;
  }

  async of(digest: string): Promise<Descriptor[]> {
    const [listed, tagged] = await Promise.all([this.#listed(digest), this.#tagged(digest)]);
    return uniqueReferrers([...listed, ...tagged]);
  }

  /** For a registry that does not list by itself: adds one to the list under the fallback tag. */
  add(
    subject: string,
    referrer: FoundManifest | (Omit<FoundManifest, "bytes"> & { bytes: Uint8Array }),
  ) {
    const added = this.#last.then(() => this.#add(subject, referrerOf(referrer)));
    this.#last = added.catch(() => undefined);
    return added;
  }

  async #listed(digest: string): Promise<Descriptor[]> {
    const url = this.#http.at(`referrers/${digest}`);
    const pages = await readPages(this.#http, url, imageIndexSchema, MEDIA.index);
    return pages === null ? this.#underTag(digest) : pages.flatMap(({ manifests }) => manifests);
  }

  async #underTag(digest: string): Promise<Descriptor[]> {
    const found = await this.#manifests.read(referrersTag(digest));
    const index = imageIndexSchema.safeParse(jsonOf(found?.bytes.toString("utf8") ?? ""));
    return index.data?.manifests ?? [];
  }

  async #tagged(digest: string): Promise<Descriptor[]> {
    const found = await Promise.all(
      cosignTags(digest).map(async (tag) => {
        const manifest = await this.#manifests.read(tag);
        return manifest === null ? [] : [referrerOf(manifest, tag)];
      }),
    );
    return found.flat();
  }

  /**
   * Read, add, write, and read again: two who add at once may each leave the other's out, and the
   * registry has no way to refuse the second.
   */
  async #add(subject: string, referrer: Descriptor): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const there = await this.#underTag(subject);
      if (there.some(({ digest }) => digest === referrer.digest)) return;
      const index: ImageIndex = {
        schemaVersion: 2,
        mediaType: MEDIA.index,
        manifests: uniqueReferrers([...there, referrer]),
      };
      const bytes = Buffer.from(JSON.stringify(index));
      await this.#manifests.write(bytes, MEDIA.index, referrersTag(subject));
    }
    const now = await this.#underTag(subject);
    if (now.some(({ digest }) => digest === referrer.digest)) return;
    throw unavailable(this.#http.where, `others change the referrers of ${subject} all the time`);
  }
}
