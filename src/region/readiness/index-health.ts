import type { IndexFacts, IndexFault, IndexStanding } from "../../model/index-health.ts";
import { type Judgement, needsIndex, type ReadinessCheck } from "./check.ts";

/** The region's copy may answer, nothing is known to be wrong with it, and it is set up well. */
export const indexHealthCheck: ReadinessCheck = {
  name: "index-health",
  restMs: 0,
  applies: ({ spec }) => spec.retrieval !== undefined,
  required: needsIndex,
  async check({ world, spec }) {
    const local = world.index(spec.retrieval?.index ?? "");
    const { store, health } = local;
    const { scrub } = health.seen(world.options.clock.monotonic());
    return judgeHealth({
      standing: await store.standing(),
      fault: health.fault,
      facts: await store.facts(),
      wholeAgoMs: scrub.wholeAgoMs,
    });
  },
};

export interface ObservedHealth {
  readonly standing: IndexStanding;
  readonly fault: IndexFault | null;
  readonly facts: Pick<IndexFacts, "engine" | "faults">;
  /** Time since every record had been looked at; null before the first time. */
  readonly wholeAgoMs: number | null;
}

export function judgeHealth({ standing, fault, facts, wholeAgoMs }: ObservedHealth): Judgement {
  // No mode of any workflow may show a tenant what is another's.
  const required = fault?.kind === "authorization" ? { required: true } : {};
  if (fault !== null) return no(`${fault.kind}: ${fault.because}`, required);
  if (standing.kind === "quarantined") return no(`it is quarantined: ${standing.because}`);
  if (standing.kind === "restoring") {
    return no(`it is being restored: ${standing.loaded} of ${standing.total} records`);
  }
  const [badly] = facts.faults;
  if (badly !== undefined) return no(`${facts.engine}: ${badly}`);
  const looked =
    wholeAgoMs === null
      ? "not all records were looked at yet"
      : `all records were looked at ${Math.round(wholeAgoMs / 1_000)} s ago`;
  const part =
    standing.kind === "partial" ? `, ${standing.loaded} of ${standing.total} records are in` : "";
  return { pass: true, evidence: `nothing is wrong with it; ${looked}${part}` };
}

function no(evidence: string, more: { readonly required?: boolean } = {}): Judgement {
  return { pass: false, evidence, ...more };
}
