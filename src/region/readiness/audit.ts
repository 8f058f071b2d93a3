import type { AuditRecord } from "../../model/audit.ts";
import { type Judgement, NO_KEY, type ReadinessCheck } from "./check.ts";

/** The canary stands in the region's audit log, as what it was. */
export const auditCheck: ReadinessCheck = {
  name: "audit",
  restMs: 0,
  applies: () => true,
  // What the workflow allows to be recovered after traffic has opened does not hold it up.
  required: ({ consistency, optional }) =>
    !consistency.later.includes("telemetry") && !optional.includes("telemetry"),
  async check({ world, spec, canary }) {
    const asked = await canary();
    if (asked === null) return NO_KEY;
    const { requestId, failure } = asked.answer;
    if (failure !== null) return judgeAudit(null, { requestId, failure, record: null });
    const { region, audit } = world.options;
    const digest = world.release?.digest ?? null;
    const document = spec.retrieval === undefined ? null : asked.question.document;
    const record = await audit.find(requestId);
    return judgeAudit({ region, digest, document }, { requestId, failure, record });
  },
};

export interface ExpectedAudit {
  readonly region: string;
  readonly digest: string | null;
  /** Document that must be among the sources; null when none is known. */
  readonly document: string | null;
}

export interface ObservedAudit {
  readonly requestId: string;
  readonly failure: string | null;
  readonly record: AuditRecord | null;
}

export function judgeAudit(expected: ExpectedAudit | null, observed: ObservedAudit): Judgement {
  const { requestId, failure, record } = observed;
  const fail = (evidence: string): Judgement => ({ pass: false, evidence });
  if (expected === null || failure !== null) return fail(`the canary was not answered: ${failure}`);
  if (record === null) return fail(`there is no audit record of ${requestId}`);
  const { region, releaseDigest, sources, mode } = record;
  if (region !== expected.region) return fail(`${requestId} is recorded as ${region}'s`);
  if (expected.digest !== null && releaseDigest !== expected.digest) {
    return fail(
      `${requestId} is recorded with release ${releaseDigest}, expected ${expected.digest}`,
    );
  }
  // In a degraded mode there are rightly no sources; whether that is ready, others judge.
  if (expected.document !== null && mode === "normal" && !sources.includes(expected.document)) {
    return fail(
      `${requestId} is recorded with the sources ${sources.join(", ") || "none"}, without ${expected.document}`,
    );
  }
  const cited = `${sources.length} ${sources.length === 1 ? "source" : "sources"}`;
  return {
    pass: true,
    evidence: `${requestId} is recorded: ${region}, ${releaseDigest}, ${cited}`,
  };
}
