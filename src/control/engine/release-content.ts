import { lintRelease } from "../../core/release/lint/lint.ts";
import type { ReleaseFinding } from "../../core/release/lint/rule.ts";
import { type ReadBack, readParts } from "../../core/release/read.ts";
import { messageOf } from "../../lib/errors.ts";
import { KEYS } from "../../model/keys.ts";
import { knownReleaseSchema } from "../../model/release-intent.ts";
import type { Store } from "../../ports/store.ts";

/** Findings that are told; the rest are counted. */
const MOST_TOLD = 5;

/**
 * Why the contents of a release forbid its activation beside those of the last good one; null when
 * nothing does. It is judged where it was built, too, but not all that is activated was built by
 * this program, nor beside what runs here: a policy that went blank on the way from another estate
 * would take effect everywhere within a bake.
 *
 * `accepted`: a person has looked at what is only unlikely, such as a file that doubled, and means it.
 */
export async function contentObjection(
  store: Store,
  about: { readonly release: string; readonly lastGood: string; readonly accepted: boolean },
): Promise<string | null> {
  try {
    const release = await readBack(store, about.release);
    const lastGood =
      about.lastGood === about.release ? null : await readBack(store, about.lastGood);
    if (release === null) return null;
    const found = lintRelease({ release, lastGood, indexes: null }).filter(
      ({ unlikely }) => !(unlikely && about.accepted),
    );
    return found.length === 0 ? null : told(found);
  } catch (error) {
    return messageOf(error);
  }
}

/** null: a release that carries no parts, of which there is nothing but its body. */
async function readBack(store: Store, digest: string): Promise<ReadBack | null> {
  const entry = await store.get(KEYS.release(digest));
  const { data } = knownReleaseSchema.safeParse(entry?.value);
  if (data === undefined || Object.keys(data.parts).length === 0) return null;
  const parts = Object.entries(data.parts).map(
    ([name, text]) => [name, Buffer.from(text, "base64")] as const,
  );
  return readParts(digest, new Map(parts));
}

function told(found: readonly ReleaseFinding[]): string {
  const shown = found.slice(0, MOST_TOLD).map(sentenceOf);
  const rest = found.length - shown.length;
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join("; ");
}

function sentenceOf({ file, at, message, instead }: ReleaseFinding): string {
  const place = "offset" in at || at.length === 0 ? file : `${file}, ${at.join(".")}`;
  return `${place}: ${message} (${instead})`;
}
