import { TideoverError } from "../../lib/errors.ts";
import { Verifier } from "../../lib/verified.ts";
import type { Descriptor } from "../../model/artifact.ts";
import { unavailable } from "./failures.ts";
import { type Answer, finish, type RegistryHttp } from "./http.ts";
import type { UploadJournal } from "./uploads.ts";

/** An upload that is under way in the registry. */
export interface Upload {
  readonly location: string;
  /** Bytes that the registry has of it. */
  readonly bytes: number;
}

/**
 * Sends blobs. A small one goes in one request. A larger one goes in parts, and where it goes on is
 * noted after each: a registry keeps whole parts over a kill of ours. (Docker's registry 2.x drops
 * an upload that was cut within a part; then the blob is sent from its start.)
 */
export class Pusher {
  readonly #http: RegistryHttp;
  readonly #journal: UploadJournal;
  readonly #partBytes: number;

  constructor(http: RegistryHttp, journal: UploadJournal, partBytes: number) {
    this.#http = http;
    this.#journal = journal;
    this.#partBytes = partBytes;
  }

  /** A new upload; with `from` the registry may take the blob from its other repository: null. */
  async begin(mount?: { readonly digest: string; readonly from: string }): Promise<Upload | null> {
    const query =
      mount === undefined
        ? ""
        : `?${new URLSearchParams({ mount: mount.digest, from: mount.from })}`;
    const answer = await this.#http.ask({
      method: "POST",
      url: this.#http.at(`blobs/uploads/${query}`),
      headers: { "content-length": "0" },
      expect: [201, 202],
    });
    await finish(answer);
    return answer.status === 201 ? null : { location: this.#next(answer), bytes: 0 };
  }

  /** The interrupted upload of a blob as the registry has it; null when it has none. */
  async interrupted(digest: string): Promise<Upload | null> {
    const known = await this.#journal.find(digest);
    if (known === null) return null;
    const answer = await this.#http.ask({
      method: "GET",
      url: known,
      expect: [204, 400, 404, 416],
    });
    await finish(answer);
    const bytes = rangeEnd(answer.header("range"));
    if (answer.status === 204 && bytes > 0) return { location: this.#next(answer), bytes };
    await this.#journal.forget(digest);
    return null;
  }

  /** Sends the rest of a blob, and makes it visible. */
  async send(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>, upload: Upload) {
    const inOne = upload.bytes === 0 && descriptor.size <= this.#partBytes;
    try {
      if (inOne) {
        const checked = lastHeld(compared(descriptor, bytes));
        await this.#finishWith(descriptor, upload.location, checked, descriptor.size);
      } else {
        const known = upload.bytes === 0;
        const checked = known
          ? compared(descriptor, bytes)
          : counted(descriptor, bytes, upload.bytes);
        await this.#sendParts(descriptor, checked, upload);
      }
    } catch (error) {
      if (isCorrupt(error)) await this.cancel(upload);
      throw error;
    }
    await this.#journal.forget(descriptor.digest);
  }

  async cancel({ location }: Upload): Promise<void> {
    const expect = [200, 202, 204, 400, 404, 405];
    const gone = this.#http.ask({ method: "DELETE", url: location, expect }).then(finish);
    // The registry forgets it by itself after some days.
    await gone.catch(() => undefined);
  }

  async #sendParts(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>, upload: Upload) {
    const { digest, size } = descriptor;
    const parts = new Parts(bytes);
    let { location, bytes: at } = upload;
    while (at < size) {
      // A source that is gone is noticed before the part begins: one that is cut is lost.
      await parts.ready();
      if (at > 0) await this.#stayLoggedIn(digest);
      const length = Math.min(this.#partBytes, size - at);
      const answer = await this.#http.ask({
        method: "PATCH",
        url: location,
        headers: {
          "content-type": "application/octet-stream",
          "content-length": String(length),
          "content-range": `${at}-${at + length - 1}`,
        },
        body: parts.next(length),
        expect: [202],
      });
      await finish(answer);
      location = this.#next(answer);
      at += length;
      await this.#journal.keep(digest, location);
    }
    await parts.end();
    await this.#finishWith(descriptor, location, null, 0);
  }

  /** A token lasts minutes and a blob hours: a part cannot be sent again, and this question can. */
  async #stayLoggedIn(digest: string): Promise<void> {
    const url = this.#http.at(`blobs/${digest}`);
    await finish(await this.#http.ask({ method: "HEAD", url, expect: [200, 404] }));
  }

  async #finishWith(
    { digest }: Descriptor,
    location: string,
    body: AsyncIterable<Uint8Array> | null,
    length: number,
  ): Promise<void> {
    const url = new URL(location);
    url.searchParams.set("digest", digest);
    const answer = await this.#http.ask({
      method: "PUT",
      url: url.href,
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(length),
      },
      ...(body === null || length === 0 ? {} : { body }),
      expect: [201],
    });
    await finish(answer);
    const found = answer.header("docker-content-digest");
    if (found !== undefined && found !== digest) {
      throw unavailable(this.#http.where, `it took blob ${digest} for ${found}`);
    }
  }

  #next(answer: Answer): string {
    const location = answer.header("location");
    if (location === undefined) throw unavailable(this.#http.where, "an upload has no address");
    return new URL(location, answer.url).href;
  }
}

/** Compared while they pass; the end throws when they were not what they should be. */
async function* compared(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>) {
  const verifier = new Verifier({ ...descriptor, where: `blob ${descriptor.digest}` });
  for await (const chunk of bytes) {
    verifier.add(chunk);
    yield chunk;
  }
  requireWhole(descriptor, verifier.bytes);
  verifier.end();
}

/** The last bytes are only given away once the end was reached: they complete the request. */
async function* lastHeld(bytes: AsyncIterable<Uint8Array>) {
  let held: Uint8Array | null = null;
  for await (const chunk of bytes) {
    if (held !== null) yield held;
    held = chunk;
  }
  if (held !== null) yield held;
}

/** The end of a blob whose start the registry has: it compares the whole when it is finished. */
async function* counted(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>, from: number) {
  let at = from;
  for await (const chunk of bytes) {
    at += chunk.length;
    yield chunk;
  }
  requireWhole(descriptor, at);
}

/** Too short is not wrong: the source was cut, and the rest is asked for later. */
function requireWhole({ digest, size }: Descriptor, got: number): void {
  if (got >= size) return;
  throw new TideoverError(`blob ${digest} ended after ${got} of ${size} bytes`, {
    code: "ARTIFACTS_UNAVAILABLE",
    retry: "now",
    next: "Copy it again.",
  });
}

/** One stream of bytes, given away in parts of a stated length. */
class Parts {
  readonly #bytes: AsyncIterator<Uint8Array>;
  #left: Uint8Array = new Uint8Array(0);

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#bytes = bytes[Symbol.asyncIterator]();
  }

  async *next(length: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let wanted = length; wanted > 0; ) {
      if (this.#left.length === 0 && !(await this.#more())) return;
      const part = this.#left.subarray(0, wanted);
      this.#left = this.#left.subarray(part.length);
      wanted -= part.length;
      yield part;
    }
  }

  /** Resolves once there is something to give, or nothing more; rejects as the source does. */
  async ready(): Promise<void> {
    if (this.#left.length === 0) await this.#more();
  }

  /** Reads to the end, where the whole is compared. */
  async end(): Promise<void> {
    while (await this.#more()) {
      // More than was asked for is told by the comparison.
    }
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#bytes.next();
    if (done) return false;
    this.#left = value;
    return true;
  }
}

/** Bytes that `range: 0-N` says are there. One byte and none look alike, and are taken for none. */
function rangeEnd(range: string | undefined): number {
  const last = Number(/^(?:bytes=)?0-(\d+)$/.exec(range ?? "")?.[1] ?? 0);
  return last === 0 ? 0 : last + 1;
}

function isCorrupt(error: unknown): boolean {
  return error instanceof TideoverError && error.code === "ARTIFACT_CORRUPT";
}
