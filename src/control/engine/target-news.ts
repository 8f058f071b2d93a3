import { type SeenTarget, targetKey } from "../../core/signals/troubles.ts";
import type { Fact } from "./record.ts";

export interface TargetNews {
  /** What is new since the last write, as sentences for the record. `now` in monotonic ms. */
  since(seen: readonly SeenTarget[], now: number): readonly Fact[];
  /** They were written. */
  written(seen: readonly SeenTarget[], now: number): void;
  /** A new term begins: earlier leaders' words are not this one's. */
  forget(): void;
}

/**
 * So long a target must be well before its next ejection is news again: one that comes and goes
 * each second would fill the record with nothing but itself.
 */
const WELL_FOR_MS = 10_000;

/**
 * Which targets the gateways leave alone, for the record. Told when it begins and when it is over.
 * A target that merely fails is the gateways' daily business; one that nobody can see any more is
 * neither out nor back.
 */
export function createTargetNews(): TargetNews {
  /** Those told to be out: when each was last seen so. */
  const out = new Map<string, number>();

  function isBack({ subject, trouble }: SeenTarget, now: number): boolean {
    const outAt = out.get(targetKey(subject));
    return trouble === null && outAt !== undefined && now - outAt >= WELL_FOR_MS;
  }

  return {
    since(seen, now) {
      for (const one of seen.filter(isOut)) {
        if (out.has(targetKey(one.subject))) out.set(targetKey(one.subject), now);
      }
      const gone = seen.filter((one) => isOut(one) && !out.has(targetKey(one.subject)));
      const back = seen.filter((one) => isBack(one, now));
      return [...gone.map(outFact), ...back.map(backFact)];
    },
    written(seen, now) {
      for (const one of seen) {
        if (isOut(one)) out.set(targetKey(one.subject), now);
        else if (isBack(one, now)) out.delete(targetKey(one.subject));
      }
    },
    forget() {
      out.clear();
    },
  };
}

function isOut({ trouble }: SeenTarget): boolean {
  return trouble !== null && trouble.standing !== "failing";
}

function outFact({ subject, trouble, observer }: SeenTarget): Fact {
  const { target, region, gateway } = subject;
  const does =
    trouble?.standing === "slow"
      ? `finds ${target} of ${region} slow`
      : `leaves ${target} of ${region} alone`;
  return {
    kind: "signal",
    text: `the gateway of ${gateway} ${does}: ${trouble?.because}`,
    data: { gateway, observer, trouble },
  };
}

function backFact({ subject, observer }: SeenTarget): Fact {
  const { target, region, gateway } = subject;
  return {
    kind: "signal",
    text: `the gateway of ${gateway} uses ${target} of ${region} again`,
    data: { gateway, observer, subject },
  };
}
