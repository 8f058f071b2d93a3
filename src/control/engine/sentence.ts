import type { Resolved } from "./commit.ts";
import type { Standing } from "./leadership.ts";
import type { IndexThought, ReleaseThought } from "./think.ts";

/** Why this turn did what it did, in one sentence, also when it did nothing. */
export function sentenceOf(
  id: string,
  standing: Standing,
  about: {
    readonly resolved: readonly Resolved[];
    readonly indexes: readonly IndexThought[];
    readonly release: ReleaseThought | null;
  },
): string {
  if (!standing.leads) {
    const { leader } = standing;
    return leader === null
      ? `${id} does not lead: an election is under way`
      : `${id} does not lead: ${leader} does`;
  }
  const { resolved, indexes, release } = about;
  return `${id} leads in term ${standing.term.number}: ${thoughtsOf(resolved)}${indexesOf(indexes)}${releaseOf(release)}`;
}

export function sentenceWithoutStore(id: string, leads: boolean, because: string): string {
  const standing = leads ? "leads still, as far as it knows" : "does not lead";
  return `${id} ${standing}, and does nothing: the store does not answer (${because})`;
}

/** Nothing at rest: that every region runs one release is what it is every day. */
function releaseOf(release: ReleaseThought | null): string {
  if (release === null) return "";
  const { decision, intent } = release;
  const rests = decision.kind === "hold" && intent.value.heldBy === null && !release.request;
  return rests ? "" : `; the release: ${decision.kind}, ${decision.because}`;
}

/** Nothing at rest, as of the release. */
function indexesOf(indexes: readonly IndexThought[]): string {
  return indexes
    .filter(({ decision: { kind, domain }, request }) => kind !== "hold" || domain || request)
    .map(({ decision: { workflow, kind, because } }) => `; ${workflow}: ${kind}, ${because}`)
    .join("");
}

function thoughtsOf(resolved: readonly Resolved[]): string {
  if (resolved.length === 0) return "the spec names no workflow";
  return resolved
    .map(({ decision: { workflow, kind, because } }) => `${workflow}: ${kind}, ${because}`)
    .join("; ");
}
