import type { Signal } from "../../model/signal.ts";
import { INDEX_TARGET } from "../../model/trouble.ts";
import type { Verdict } from "../../model/verdict.ts";
import type { CopySeen, JudgeInput } from "./input.ts";
import { patienceMs } from "./views.ts";

/** What a region's gateway met when it searched the copy, as those who looked at it repeat. */
export interface GatewayWord {
  readonly forMs: number;
  readonly because: string;
  readonly witnesses: Verdict["witnesses"];
}

/** The newest word of the region's own gateway; null when there is none, or a later look refutes it. */
export function gatewayWord(
  input: JudgeInput,
  copy: CopySeen,
  seen: CopySeen["seen"][number],
): GatewayWord | null {
  const heard = wordsOn(input, copy);
  const newest = heard.toSorted((a, b) => b.at - a.at)[0];
  if (newest?.trouble === undefined || newest.ok) return null;
  const agoMs = Math.max(0, input.now - newest.at);
  const refusedAgoMs = (newest.trouble.seenAgoMs ?? 0) + agoMs;
  if (isRefuted(seen, refusedAgoMs)) return null;
  return {
    forMs: newest.trouble.sinceMs + agoMs,
    because: newest.detail,
    witnesses: heard
      .filter(({ ok }) => !ok)
      .map(({ observer, observerRegion, detail }) => ({ observer, observerRegion, saw: detail })),
  };
}

/** The newest signal of each observer that is not too old. */
function wordsOn(input: JudgeInput, { region, index }: CopySeen): Signal[] {
  return input.windows.flatMap(({ subject, signals }) => {
    const [newest] = signals;
    const isMeant =
      subject.part === "target" &&
      subject.region === region &&
      subject.gateway === region &&
      subject.target === `${INDEX_TARGET}${index}`;
    const isFresh = newest !== undefined && input.now - newest.at <= patienceMs(input.detection);
    return isMeant && isFresh ? [newest] : [];
  });
}

/** Whether the agent has looked at the whole copy since the newest refusal, and found nothing. */
function isRefuted({ agoMs, state }: CopySeen["seen"][number], refusedAgoMs: number): boolean {
  const { scrub, fault } = state;
  const wholeAgoMs = scrub?.wholeAgoMs ?? null;
  return fault === null && wholeAgoMs !== null && wholeAgoMs + agoMs < refusedAgoMs;
}
