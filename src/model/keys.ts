/** Where things stand in the store. One list, so that no two rooms spell a key differently. */
export const KEYS = {
  leader: "leader",
  /** Highest leadership term ever used; outlives the leader's lease. */
  term: "term",
  snapshot: "snapshot",
  report: (observer: string): string => `report/${observer}`,
  reports: "report/",
  readiness: (region: string, workflow: string): string => `readiness/${region}/${workflow}`,
  readinesses: "readiness/",
  intent: (workflow: string): string => `intent/${workflow}`,
  intents: "intent/",
  /** A release that the estate knows: its body, by digest. */
  release: (digest: string): string => `release/${digest}`,
  releases: "release/",
  /** Which release each region runs, and which was the last good one. */
  releaseIntent: "release-intent",
  /** A person's wish for another release, taken up by the leader at its next turn. */
  releaseRequest: (id: string): string => `release-request/${id}`,
  releaseRequests: "release-request/",
  ownership: (index: string): string => `ownership/${index}`,
  ownerships: "ownership/",
  /** Which plan moves an index alone; absent at rest. */
  indexHold: (index: string): string => `index-hold/${index}`,
  indexHolds: "index-hold/",
  /** A person's wish for another owner of an index, taken up by the leader at its next turn. */
  indexRequest: (id: string): string => `index-request/${id}`,
  indexRequests: "index-request/",
  plan: (id: string): string => `plan/${id}`,
  plans: "plan/",
  planState: (id: string): string => `plan-state/${id}`,
  planStates: "plan-state/",
  /** Latest decision per workflow, for `status`. */
  decision: (workflow: string): string => `decision/${workflow}`,
  decisions: "decision/",
  /** A person's request, taken up by the leader at its next turn. */
  request: (id: string): string => `request/${id}`,
  requests: "request/",
  evidence: (seq: number): string => `evidence/${String(seq).padStart(12, "0")}`,
  evidences: "evidence/",
  evidenceHead: "evidence-head",
} as const;
