import type { Verdict } from "../../model/verdict.ts";
import { judgeBadRelease } from "./bad-release.ts";
import { judgeCapacityLoss } from "./capacity-loss.ts";
import { judgeIndexCorruption } from "./index-corruption.ts";
import type { JudgeInput } from "./input.ts";
import { judgeRegionOutage } from "./region-outage.ts";
import { judgeStaleData } from "./stale-data.ts";

export type { JudgeInput } from "./input.ts";

/** One detector a failure domain. Another domain is one file beside this one and one line here. */
const DETECTORS: readonly ((input: JudgeInput, outages: readonly Verdict[]) => Verdict[])[] = [
  judgeBadRelease,
  judgeCapacityLoss,
  judgeIndexCorruption,
  judgeStaleData,
];

/**
 * What is true now: of every region whether it is out, always (`unknown` when nobody can tell), and
 * what the other domains have to say of it. They hear of the outages, for a region that does not
 * answer says little of anything else.
 */
export function judge(input: JudgeInput): Verdict[] {
  const outages = judgeRegionOutage(input);
  return [...outages, ...DETECTORS.flatMap((detect) => detect(input, outages))];
}
