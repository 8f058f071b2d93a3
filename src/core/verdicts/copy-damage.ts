import type { IndexState } from "../../model/signal.ts";

/** Why a copy may not answer. */
export interface Damage {
  /** A finding about the copy itself, which no waiting mends. */
  readonly proven: boolean;
  /** A predicate: `is damaged (loss: …)`. */
  readonly because: string;
}

/** What one report says against a copy; null when nothing. The worst first. */
export function damageIn({ fault, standing, readable, error }: IndexState): Damage | null {
  if (fault) return { proven: true, because: `is damaged (${fault.kind}: ${fault.because})` };
  if (standing?.kind === "quarantined") {
    return { proven: true, because: `is in quarantine (${standing.because})` };
  }
  if (standing?.kind === "restoring") {
    const { loaded, total } = standing;
    return { proven: false, because: `is being restored (${loaded} of ${total} records)` };
  }
  // `error` alone is no damage: that of a replica whose owner is gone says so as well.
  if (readable === false)
    return { proven: false, because: `cannot be read (${error ?? "no word"})` };
  return null;
}
