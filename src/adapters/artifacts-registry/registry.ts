import { z } from "zod";
import { sha256 } from "../../lib/canonical.ts";
import { TideoverError } from "../../lib/errors.ts";
import { corrupt, verified } from "../../lib/verified.ts";
import type { Descriptor } from "../../model/artifact.ts";
import {
  isDigest,
  MANIFEST_ACCEPT,
  MOST_MANIFEST_BYTES,
  partsOf,
} from "../../model/artifact-parts.ts";
import type { ArtifactSource, ArtifactStore, FoundManifest } from "../../ports/artifacts.ts";
import { parseRepository, type RepositoryAddress } from "./address.ts";
import { parseCredentials } from "./auth.ts";
import { asUnavailable, missing } from "./failures.ts";
import { finish, RegistryHttp } from "./http.ts";
import { readPages } from "./pages.ts";
import { Pusher, type Upload } from "./push.ts";
import { holderOf } from "./reach.ts";
import { Referrers } from "./referrers.ts";
import { UploadJournal } from "./uploads.ts";

/** Of a blob that is sent in parts. */
const PART_BYTES = 64 * 1_048_576;

export interface RegistryOptions {
  /** One repository: `https://host[:port]/team/app`, or `http://` without TLS. */
  readonly url: string;
  /** `user:password`, or a token. */
  readonly secret?: string | undefined;
  /** Name of the environment variable that the secret came from, for messages. */
  readonly authEnv?: string | undefined;
  /** PEM of the authorities that its certificate may be of. */
  readonly ca?: string | undefined;
  /** Folder in which interrupted uploads are noted; without it they begin anew. */
  readonly uploads?: string | undefined;
  /** Blobs above this are sent in parts of it; 64 MiB when absent. */
  readonly partBytes?: number;
}

/**
 * Artifacts in one repository of a registry, by OCI's distribution API 1.1, with its fallback for
 * registries without the referrers API (Docker's registry 2.x). Opens no connection before the first
 * call. Throws USAGE for an address that is none.
 */
export function openRegistry(options: RegistryOptions): ArtifactStore {
  return new Registry(options);
}

class Registry implements ArtifactStore {
  readonly address: RepositoryAddress;
  readonly #http: RegistryHttp;
  readonly #pusher: Pusher;
  readonly #referrers: Referrers;
  readonly #interrupted = new Map<string, Upload>();

  constructor(options: RegistryOptions) {
    const { secret, authEnv, ca, uploads = null, partBytes = PART_BYTES } = options;
    this.address = parseRepository(options.url);
    const credentials = secret === undefined ? null : parseCredentials(secret);
    this.#http = new RegistryHttp({ address: this.address, credentials, authEnv, ca });
    const name = `${new URL(this.address.origin).host}/${this.address.repository}`;
    this.#pusher = new Pusher(this.#http, new UploadJournal(uploads, name), partBytes);
    this.#referrers = new Referrers(this.#http, {
      read: (ref) => this.manifest(ref),
      write: (bytes, mediaType, ref) => this.#put(bytes, mediaType, ref),
    });
  }

  async manifest(ref: string): Promise<FoundManifest | null> {
    const answer = await this.#http.ask({
      method: "GET",
      url: this.#http.at(`manifests/${ref}`),
      headers: { accept: MANIFEST_ACCEPT },
      expect: [200, 404],
    });
    if (answer.status === 404) return finish(answer).then(() => null);
    const where = `manifest ${ref} of ${this.#http.where}`;
    const bytes = await this.#bytes(answer.body, where);
    const digest = sha256(bytes);
    const expected = isDigest(ref) ? ref : answer.header("docker-content-digest");
    if (expected !== undefined && expected !== digest) throw corrupt(where, expected, digest);
    const type = answer.header("content-type")?.split(";")[0];
    const mediaType = partsOf(bytes)?.mediaType ?? type ?? "application/octet-stream";
    return { bytes, digest, mediaType };
  }

  blob(descriptor: Descriptor, from?: number): AsyncIterable<Uint8Array> {
    const bytes = this.#part(descriptor, from ?? 0);
    if (from !== undefined) return bytes;
    const where = `blob ${descriptor.digest} of ${this.#http.where}`;
    return verified(bytes, { ...descriptor, where });
  }

  async has(digest: string, size?: number): Promise<boolean> {
    for (const kind of ["blobs", "manifests"]) {
      const answer = await this.#http.ask({
        method: "HEAD",
        url: this.#http.at(`${kind}/${digest}`),
        headers: { accept: kind === "manifests" ? MANIFEST_ACCEPT : "*/*" },
        expect: [200, 404],
      });
      await finish(answer);
      if (answer.status === 404) continue;
      const length = answer.header("content-length");
      return size === undefined || length === undefined || Number(length) === size;
    }
    return false;
  }

  referrers(digest: string): Promise<Descriptor[]> {
    return this.#referrers.of(digest);
  }

  async tags(): Promise<string[]> {
    const pages = await readPages(this.#http, this.#http.at("tags/list?n=1000"), tagsSchema);
    return (pages ?? []).flatMap(({ tags }) => tags ?? []).sort();
  }

  async putBlob(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>, from = 0) {
    const interrupted = this.#interrupted.get(descriptor.digest);
    this.#interrupted.delete(descriptor.digest);
    if (from > 0 && interrupted?.bytes !== from) {
      throw notThere(descriptor.digest, from, interrupted?.bytes ?? 0);
    }
    const upload = from > 0 && interrupted ? interrupted : await this.#pusher.begin();
    if (upload !== null) await this.#pusher.send(descriptor, bytes, upload);
  }

  async partial(digest: string): Promise<number> {
    const upload = await this.#pusher.interrupted(digest);
    if (upload === null) this.#interrupted.delete(digest);
    else this.#interrupted.set(digest, upload);
    return upload?.bytes ?? 0;
  }

  async adopt(descriptor: Descriptor, source: ArtifactSource): Promise<boolean> {
    if (!(source instanceof Registry) || source.address.origin !== this.address.origin)
      return false;
    const from = source.address.repository;
    const upload = await this.#pusher.begin({ digest: descriptor.digest, from });
    if (upload !== null) await this.#pusher.cancel(upload);
    return upload === null;
  }

  async putManifest(bytes: Uint8Array, mediaType: string, tag?: string): Promise<string> {
    const digest = sha256(bytes);
    await this.#requireParts(bytes, digest);
    const listed = await this.#put(bytes, mediaType, tag ?? digest);
    const subject = partsOf(bytes)?.subject;
    if (subject !== undefined && !listed) {
      await this.#referrers.add(subject.digest, { bytes, mediaType, digest });
    }
    return digest;
  }

  async freeBytes(): Promise<null> {
    return null;
  }

  async remove(ref: string): Promise<void> {
    if (isDigest(ref)) {
      const holder = await holderOf(ref, this);
      if (holder !== null) throw inUse(ref, holder, this.#http.where);
    }
    const expect = [200, 202, 204, 400, 404, 405];
    const paths = isDigest(ref) ? [`manifests/${ref}`, `blobs/${ref}`] : [`manifests/${ref}`];
    for (const path of paths) {
      const answer = await this.#http.ask({ method: "DELETE", url: this.#http.at(path), expect });
      await finish(answer);
      if (answer.status < 300) return;
    }
    if (await this.#isThere(ref)) throw cannotRemove(ref, this.#http.where);
  }

  async removeUnreached(digests: readonly string[]): Promise<void> {
    for (const digest of digests) {
      if ((await holderOf(digest, this)) === null) await this.remove(digest);
    }
  }

  /** A registry tells nobody what it keeps: it collects by itself. */
  async unreachable(): Promise<string[]> {
    return [];
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async *#part(descriptor: Descriptor, from: number): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest, size } = descriptor;
    if (from > 0 && from >= size) return;
    const answer = await this.#http.ask({
      method: "GET",
      url: this.#http.at(`blobs/${digest}`),
      headers: from > 0 ? { range: `bytes=${from}-` } : {},
      expect: [200, 206, 404],
    });
    if (answer.status === 404) {
      await finish(answer);
      throw missing(`blob ${digest}`, this.#http.where);
    }
    // Who does not know ranges sends the whole: what we have of it is passed over.
    let skip = answer.status === 206 ? 0 : from;
    try {
      for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
        const rest = skip === 0 ? chunk : chunk.subarray(skip);
        skip = Math.max(0, skip - chunk.length);
        if (rest.length > 0) yield rest;
      }
    } catch (error) {
      throw asUnavailable(this.#http.where, error);
    }
  }

  async #bytes(body: AsyncIterable<Uint8Array>, where: string): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of body) {
        size += chunk.length;
        if (size > MOST_MANIFEST_BYTES) throw new Error(`${where} is larger than manifests may be`);
        chunks.push(chunk);
      }
    } catch (error) {
      throw asUnavailable(this.#http.where, error);
    }
    return Buffer.concat(chunks);
  }

  /** true when the registry lists it as a referrer by itself. */
  async #put(bytes: Uint8Array, mediaType: string, ref: string): Promise<boolean> {
    const answer = await this.#http.ask({
      method: "PUT",
      url: this.#http.at(`manifests/${ref}`),
      headers: { "content-type": mediaType },
      body: bytes,
      expect: [201],
    });
    await finish(answer);
    return answer.header("oci-subject") !== undefined;
  }

  async #requireParts(bytes: Uint8Array, digest: string): Promise<void> {
    const blobs = partsOf(bytes)?.blobs ?? [];
    const there = await Promise.all(blobs.map((blob) => this.has(blob.digest, blob.size)));
    const absent = blobs[there.indexOf(false)];
    if (absent !== undefined) {
      throw missing(`blob ${absent.digest} of manifest ${digest}`, this.#http.where);
    }
  }

  async #isThere(ref: string): Promise<boolean> {
    return isDigest(ref) ? this.has(ref) : (await this.manifest(ref)) !== null;
  }
}

const tagsSchema = z.object({ tags: z.array(z.string()).nullable() });

function notThere(digest: string, from: number, bytes: number): TideoverError {
  return new TideoverError(`of blob ${digest} ${bytes} bytes are kept, and not ${from}`, {
    code: "STORE_CONFLICT",
    retry: "now",
    next: "Ask again how many bytes are kept, and go on from there.",
  });
}

function inUse(ref: string, holder: string, where: string): TideoverError {
  return new TideoverError(`${ref} is in use in ${where}: tag ${holder} names it`, {
    code: "ARTIFACT_IN_USE",
    next: "Let go of that tag first, if nothing needs it any more.",
  });
}

function cannotRemove(ref: string, where: string): TideoverError {
  return new TideoverError(`${where} does not let go of ${ref}`, {
    code: "ARTIFACTS_UNAVAILABLE",
    next: "Let the registry delete (Docker's: storage.delete.enabled), or remove it with its own tools.",
  });
}
