import { chainEntry } from "../core/evidence/chain.ts";
import type { Decision } from "../model/decision.ts";
import type { Evidence } from "../model/evidence.ts";
import type { Intent } from "../model/intent.ts";
import { KEYS } from "../model/keys.ts";
import type { Plan, PlanState } from "../model/plan.ts";
import { EMPTY_POSITION } from "../model/position.ts";
import type { Readiness } from "../model/readiness.ts";
import type { RegionReport } from "../model/signal.ts";
import { SimClock } from "../sim/clock.ts";
import { MemoryBackend, MemoryStore } from "../sim/store.ts";

/** What controllers and agents leave in the store, for the tests of those who read it. */

export const WORKFLOW = "rag-search";

/** A store that holds this, in the order in which it is written. */
export async function storeWith(values: Readonly<Record<string, unknown>>): Promise<MemoryStore> {
  const store = new MemoryStore(new MemoryBackend(new SimClock()));
  const operations = Object.entries(values).map(([put, value]) => ({ put, value }));
  await store.commit({ compare: [], operations });
  return store;
}

export function intent(over: Partial<Intent> = {}): Intent {
  return {
    workflow: WORKFLOW,
    epoch: 2,
    serving: ["eu-west"],
    mode: null,
    movingBy: null,
    because: "a test says so",
    since: 0,
    ...over,
  };
}

export function readiness(over: Partial<Readiness> = {}): Readiness {
  return {
    region: "us-east",
    workflow: WORKFLOW,
    ready: true,
    because: "8 of 8 checks passed",
    at: 1_234,
    checks: [],
    ...over,
  };
}

export function report(region: string, seq = 1): RegionReport {
  const gateway = { number: 5, sinceMs: 10, lastError: null };
  const index = {
    index: "handbook",
    position: EMPTY_POSITION,
    ownerPosition: null,
    lagMs: 0,
    ownerSeenAgoMs: null,
    orphans: 0,
    error: null,
  };
  return {
    region,
    observer: `agent:${region}`,
    seq,
    monotonicNow: 0,
    signals: [],
    indexes: [index],
    gateway,
  };
}

export function decision(over: Partial<Decision> = {}): Decision {
  return {
    kind: "failover",
    workflow: WORKFLOW,
    domain: "region-outage",
    from: ["eu-west"],
    to: ["us-east"],
    because: "eu-west is out",
    refused: [],
    ...over,
  };
}

export function plan(id: string, over: Partial<Plan> = {}): Plan {
  const words = { precondition: "-", effect: "-", proof: "-", undo: "none", deadlineMs: 1_000 };
  const step = (kind: Plan["steps"][number]["kind"]) => ({
    ...words,
    id: kind,
    kind,
    regions: ["us-east"],
    index: null,
  });
  return {
    id,
    parent: null,
    decision: decision(),
    workflow: WORKFLOW,
    epoch: 3,
    release: "sha256:r",
    steps: [step("prove-readiness"), step("open-traffic"), step("prove-traffic")],
    createdAt: 1_000,
    ...over,
  };
}

export function planState(planId: string, over: Partial<PlanState> = {}): PlanState {
  return { planId, status: "running", next: 0, steps: [], because: "it goes on", ...over };
}

/** A record of so many entries, and its head, as a store holds them. */
export function record(count: number): Record<string, Evidence> {
  const entries: Record<string, Evidence> = {};
  let last: Evidence | null = null;
  for (let seq = 1; seq <= count; seq += 1) {
    const text = `sentence ${seq}`;
    const facts = { at: seq * 10, kind: "estate", workflow: null, planId: null, text } as const;
    last = chainEntry(last, { ...facts, data: {} });
    entries[KEYS.evidence(seq)] = last;
  }
  return last ? { ...entries, [KEYS.evidenceHead]: last } : entries;
}
