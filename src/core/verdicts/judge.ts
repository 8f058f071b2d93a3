import type { Verdict } from "../../model/verdict.ts";
import type { JudgeInput } from "./input.ts";
import { judgeRegionOutage } from "./region-outage.ts";

export type { JudgeInput } from "./input.ts";

/** One detector a failure domain. Another domain is one file beside this one and one line here. */
const DETECTORS: readonly ((input: JudgeInput) => Verdict[])[] = [judgeRegionOutage];

/** What is true now: one verdict per (domain, region), always; `unknown` when nobody can tell. */
export function judge(input: JudgeInput): Verdict[] {
  return DETECTORS.flatMap((detect) => detect(input));
}
