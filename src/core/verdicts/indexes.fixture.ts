import { DETECTION } from "../../../test/support/core-values.ts";
import { EMPTY_POSITION } from "../../model/position.ts";
import type { IndexState, Signal } from "../../model/signal.ts";
import type { Trouble } from "../../model/trouble.ts";
import type { Verdict } from "../../model/verdict.ts";
import type { CopySeen, IndexesInput, JudgeInput } from "./input.ts";

/** Copies of indexes as the agents report them, for the tests of the verdicts on them. */

export const NOW = 100_000;
/** 2026-01-01, so that ages are counted from a time that exists. */
export const WALL = Date.UTC(2026, 0, 1);
export const [EU, US] = ["eu-west", "us-east"] as const;

export function state(over: Partial<IndexState> = {}): IndexState {
  return {
    index: "handbook",
    position: { ...EMPTY_POSITION, seq: 9, count: 9 },
    ownerPosition: null,
    lagMs: 0,
    ownerSeenAgoMs: null,
    orphans: 0,
    error: null,
    readable: true,
    standing: { kind: "whole" },
    watermarks: { all: WALL, tenants: {} },
    ...over,
  };
}

/** The same state in a report each half second, since `forMs`. */
export function copy(region: string, over: Partial<IndexState> = {}, forMs = 0): CopySeen {
  return history(region, Array(1 + Math.floor(forMs / 500)).fill(over));
}

/** A report each half second, the newest first. */
export function history(region: string, states: readonly Partial<IndexState>[]): CopySeen {
  const seen = states.map((over, at) => ({ agoMs: 100 + at * 500, state: state(over) }));
  return { region, observer: `agent:${region}`, index: "handbook", seen };
}

export function input(
  copies: readonly CopySeen[],
  over: Partial<IndexesInput> = {},
  windows: JudgeInput["windows"] = [],
): JudgeInput {
  const indexes: IndexesInput = {
    copies,
    owners: new Map([["handbook", EU]]),
    freshness: new Map(),
    tenants: [],
    clocks: [{ observer: "controller", observerRegion: null, wallNow: WALL }],
    ...over,
  };
  return { windows, regions: [EU, US], detection: DETECTION, now: NOW, indexes };
}

/** What somebody read on the page of the region's gateway, `agoMs` ago. */
export function word(
  region: string,
  trouble: Partial<Trouble> | null,
  { observer = `agent:${region}`, agoMs = 200 } = {},
): JudgeInput["windows"][number] {
  const subject = { region, part: "target", target: "index:handbook", gateway: region } as const;
  const facts = { domain: "index-corruption", standing: "failing", sinceMs: 0, ejections: 0 };
  const signal: Signal = {
    ...{ observer, observerRegion: null, seq: 1, subject, at: NOW - agoMs, latencyMs: 1 },
    ok: trouble === null,
    detail: trouble === null ? "in use" : "record leave is not what was written",
    ...(trouble === null ? {} : { trouble: { ...facts, ...trouble } as Signal["trouble"] }),
  };
  return { observer, observerRegion: null, subject, signals: [signal] };
}

export function outage(region: string, health: Verdict["health"]): Verdict {
  const about = { domain: "region-outage", region, health } as const;
  return { ...about, because: "in this test", witnesses: [], failingForMs: 0 };
}
