import type { ReleaseDigest, WorkflowName } from "../model/ids.ts";
import type { GoldenScore } from "../model/outcomes.ts";

export type GoldenOutcome = "right" | "wrong" | "unanswered";

interface Noted {
  outcome: GoldenOutcome;
  tries: number;
  /** Monotonic ms of the last try. */
  at: number;
}

/** A wrong answer may come of an index that was still filling: it is asked again, ever more seldom. */
const FIRST_PAUSE_MS = 2_000;
const MOST_TRIES = 6;
/** A release and its predecessor. */
const RELEASES_KEPT = 2;

/**
 * How this region answered each golden question, apart for each release: what a new release is
 * compared with the old one by. Every question costs a model's answer, so that each is asked once a
 * release, and again only where it was not answered rightly.
 */
export class GoldenBook {
  /** By workflow, then by release in the order in which they were met, then by question. */
  readonly #noted = new Map<WorkflowName, Map<ReleaseDigest, Map<string, Noted>>>();

  note(
    about: { readonly workflow: WorkflowName; readonly release: ReleaseDigest },
    id: string,
    outcome: GoldenOutcome,
    at: number,
  ): void {
    const answers = this.#answersOf(about.workflow, about.release);
    const before = answers.get(id);
    const tries = (before?.tries ?? 0) + 1;
    // That nobody answered just now does not unsay what was answered before.
    const kept = outcome === "unanswered" && before !== undefined ? before.outcome : outcome;
    answers.set(id, { outcome: kept, tries, at });
  }

  /** Which of these questions shall be asked now, those never asked first. */
  due(
    workflow: WorkflowName,
    release: ReleaseDigest,
    ids: readonly string[],
    now: number,
  ): string[] {
    const answers = this.#noted.get(workflow)?.get(release);
    const fresh = ids.filter((id) => !answers?.has(id));
    const again = ids.filter((id) => isDueAgain(answers?.get(id), now));
    return [...fresh, ...again];
  }

  /** For the report: of each workflow the two releases that were met last. */
  scores(): { workflow: string; scores: GoldenScore[] }[] {
    return [...this.#noted].map(([workflow, releases]) => ({
      workflow,
      scores: [...releases].map(([release, answers]) => scoreOf(release, answers)),
    }));
  }

  /** What an earlier run of this agent had found out. */
  restore(workflow: WorkflowName, scores: readonly GoldenScore[], at: number): void {
    for (const { release, right, wrong } of scores) {
      for (const id of right) this.note({ workflow, release }, id, "right", at);
      for (const id of wrong) this.note({ workflow, release }, id, "wrong", at);
    }
  }

  #answersOf(workflow: WorkflowName, release: ReleaseDigest): Map<string, Noted> {
    const releases = this.#noted.get(workflow) ?? new Map<ReleaseDigest, Map<string, Noted>>();
    this.#noted.set(workflow, releases);
    const answers = releases.get(release) ?? new Map<string, Noted>();
    // Moved to the end: a rollback makes the older release the newest again.
    releases.delete(release);
    releases.set(release, answers);
    const [oldest] = releases.keys();
    if (releases.size > RELEASES_KEPT && oldest !== undefined) releases.delete(oldest);
    return answers;
  }
}

function isDueAgain(noted: Noted | undefined, now: number): boolean {
  if (noted === undefined || noted.outcome === "right" || noted.tries >= MOST_TRIES) return false;
  return now - noted.at >= FIRST_PAUSE_MS * 2 ** (noted.tries - 1);
}

function scoreOf(release: ReleaseDigest, answers: ReadonlyMap<string, Noted>): GoldenScore {
  const having = (outcome: GoldenOutcome): string[] =>
    [...answers].filter(([, noted]) => noted.outcome === outcome).map(([id]) => id);
  return {
    release,
    right: having("right"),
    wrong: having("wrong"),
    unanswered: having("unanswered"),
  };
}
