import { TideoverError } from "../../lib/errors.ts";
import type { Descriptor } from "../../model/artifact.ts";
import type { ArtifactSource } from "../../ports/artifacts.ts";

export interface ResumeOptions {
  /** Waits; resolves at once when the copy is given up. */
  readonly pause: (ms: number) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Times that a source may break off without having given anything in between. */
const PATIENCE = 5;
const FIRST_PAUSE_MS = 100;

/**
 * A blob from a place on, asked for again from where it broke off, however often that is: a line
 * that fails every gigabyte still brings forty of them. Gives up on a source that gives nothing.
 */
export async function* resuming(
  source: ArtifactSource,
  descriptor: Descriptor,
  from: number,
  { pause, signal, onBytes }: ResumeOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = from;
  let inVain = 0;
  while (at < descriptor.size) {
    const before = at;
    try {
      for await (const chunk of source.blob(descriptor, at)) {
        signal?.throwIfAborted();
        at += chunk.length;
        onBytes?.(chunk.length);
        yield chunk;
      }
      if (at < descriptor.size) throw endedEarly(descriptor, at);
    } catch (error) {
      inVain = at > before ? 0 : inVain + 1;
      if (!mayComeBack(error) || inVain >= PATIENCE) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** inVain);
      signal?.throwIfAborted();
    }
  }
}

function mayComeBack(error: unknown): boolean {
  return error instanceof TideoverError && error.code === "ARTIFACTS_UNAVAILABLE";
}

function endedEarly({ digest, size }: Descriptor, at: number): TideoverError {
  return new TideoverError(`the source of blob ${digest} ended after ${at} of ${size} bytes`, {
    code: "ARTIFACTS_UNAVAILABLE",
    retry: "now",
    next: "Copy it again: what has come is kept.",
  });
}
