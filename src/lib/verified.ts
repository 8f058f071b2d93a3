import { createHash } from "node:crypto";
import { TideoverError } from "./errors.ts";

/** What bytes are meant. */
export interface Expected {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/** Something that is compared: what it is, and where it was read, in the words of an error. */
export interface Judged extends Expected {
  readonly where: string;
}

/**
 * Compares bytes with a digest while they pass. `add` each of them in order, then `end`. Both throw
 * ARTIFACT_CORRUPT: `add` as soon as there are more than expected, so that a source which never
 * ends fills no disk.
 */
export class Verifier {
  readonly #judged: Judged;
  readonly #hash = createHash("sha256");
  #bytes = 0;

  constructor(judged: Judged) {
    this.#judged = judged;
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    const { digest, size, where } = this.#judged;
    if (this.#bytes > size) {
      throw corrupt(where, digest, `more than the ${size} bytes that it has`);
    }
    this.#hash.update(chunk);
  }

  end(): void {
    const { digest, size, where } = this.#judged;
    const found = `sha256:${this.#hash.digest("hex")}`;
    if (found === digest && this.#bytes === size) return;
    const short = this.#bytes === size ? "" : ` (${this.#bytes} of ${size} bytes)`;
    throw corrupt(where, digest, `${found}${short}`);
  }
}

/** The same bytes, compared: whoever reads to the end has what the digest is of, or an error. */
export async function* verified(
  bytes: AsyncIterable<Uint8Array>,
  judged: Judged,
): AsyncGenerator<Uint8Array, void, undefined> {
  const verifier = new Verifier(judged);
  for await (const chunk of bytes) {
    verifier.add(chunk);
    yield chunk;
  }
  verifier.end();
}

export function corrupt(where: string, expected: string, found: string): TideoverError {
  return new TideoverError(
    `${where} is not what its digest says: expected ${expected}, found ${found}`,
    {
      code: "ARTIFACT_CORRUPT",
      next: "Nothing of it is used. Look at that disk or registry, then copy it again from a good place.",
    },
  );
}
