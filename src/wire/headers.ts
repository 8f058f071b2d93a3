/** Header names of Tideover's own. Every response names what made it. */
export const HEADERS = {
  requestId: "x-request-id",
  region: "x-tideover-region",
  workflow: "x-tideover-workflow",
  /** `normal` or the degraded mode that the answer was made in. */
  mode: "x-tideover-mode",
  /**
   * On an answer: the release that made it. On the question for the rest of one: the release that
   * began it, since no other may go on with it.
   */
  release: "x-tideover-release",
  prompt: "x-tideover-prompt",
  /** `<seq>@<ISO time of the newest applied change>`. */
  watermark: "x-tideover-index-watermark",
  /** `<index>=<position>`, as `minPosition` takes it: what the answer was made from, with its proof. */
  indexPosition: "x-tideover-index-position",
  /** On an answer from documents that are older than promised: `<index>;age=<seconds>`. */
  stale: "x-tideover-stale",
  /** On a question: the position of the index that it must not be answered before. */
  minPosition: "x-tideover-min-position",
  epoch: "x-tideover-epoch",
  snapshot: "x-tideover-snapshot",
  /** Set by a gateway that forwards: names it, and forbids forwarding again. */
  forwardedBy: "x-tideover-forwarded-by",
  /** JSON: where an index stood when the agent sent this page of its log. */
  position: "x-tideover-position",
  /**
   * Holds the estate's token: this gateway answers itself, whatever the snapshot says of who
   * serves, so that a standby can be proven before it is opened. Ignored with any other value.
   */
  readiness: "x-tideover-readiness",
  /**
   * Holds the estate's token: a proof that asks as a caller does, wherever it is answered. It is told
   * what is stale and never refused for that, since a late pipeline is no fault of who answers.
   */
  canary: "x-tideover-canary",
} as const;

/** Paths of the gateway's own API, beside OpenAI's. */
export const GATEWAY_PATHS = {
  snapshot: "/tideover/v1/snapshot",
  status: "/tideover/v1/status",
} as const;

/** Paths of the agent's API. All but `health` want the estate's token. */
export const AGENT_PATHS = {
  health: "/healthz",
  readiness: "/tideover/v1/readiness",
  canary: "/tideover/v1/canary",
  ownership: "/tideover/v1/ownership",
  fetchRelease: "/tideover/v1/releases/fetch",
  verifyRelease: "/tideover/v1/releases/verify",
  artifacts: "/tideover/v1/artifacts",
  index: (name: string): string => `/tideover/v1/indexes/${name}`,
  changes: (name: string): string => `/tideover/v1/indexes/${name}/changes`,
  entries: (name: string): string => `/tideover/v1/indexes/${name}/entries`,
  catchUp: (name: string): string => `/tideover/v1/indexes/${name}/catch-up`,
  snapshots: (name: string): string => `/tideover/v1/indexes/${name}/snapshots`,
  restore: (name: string): string => `/tideover/v1/indexes/${name}/restore`,
  reindex: (name: string): string => `/tideover/v1/indexes/${name}/reindex`,
  /** A region's own artifacts, to be read by OCI's distribution API (`GET /v2/artifacts/…`). */
  artifactsOf: "/artifacts",
  compare: (name: string): string => `/tideover/v1/indexes/${name}/compare`,
  records: (name: string): string => `/tideover/v1/indexes/${name}/records`,
  results: (name: string): string => `/tideover/v1/indexes/${name}/results`,
  facts: (name: string): string => `/tideover/v1/indexes/${name}/facts`,
  verify: (name: string): string => `/tideover/v1/indexes/${name}/verify`,
  prove: (name: string): string => `/tideover/v1/indexes/${name}/prove`,
  repair: (name: string): string => `/tideover/v1/indexes/${name}/repair`,
} as const;
