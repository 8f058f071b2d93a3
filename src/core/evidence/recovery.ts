/** Moments of one recovery, in ms on one clock (whichever: only differences are used). */
export interface RecoveryMarks {
  readonly faultAt: number;
  /** The verdict became `failed`. */
  readonly verdictAt: number;
  /** The plan was written. */
  readonly planAt: number;
  /** The standby's readiness was proven. */
  readonly provenAt: number;
  /** The snapshot that opens the standby was published. */
  readonly openedAt: number;
  /** An answer through the data path came from the standby. */
  readonly trafficProvenAt: number;
}

/** Where the time of a recovery went, in whole ms. None is negative; the five sum to the total. */
export interface RecoverySplit {
  readonly detectMs: number;
  readonly decideMs: number;
  readonly verifyMs: number;
  readonly openMs: number;
  readonly propagateMs: number;
  readonly totalMs: number;
}

/**
 * Splits the recovery time actual. The total is from the fault to proven traffic, whatever the
 * marks between say: they come from several processes, so one may lie a little before the mark that
 * it followed. Such a mark is moved to its neighbour, so that no phase is negative and none is
 * counted twice.
 */
export function splitRecovery(marks: RecoveryMarks): RecoverySplit {
  const start = Math.round(marks.faultAt);
  // Rounded before subtracting: fractions would make the five differ from the total in the last bit.
  const end = Math.max(start, Math.round(marks.trafficProvenAt));
  let reached = start;
  const phase = (mark: number): number => {
    const from = reached;
    reached = Math.min(end, Math.max(from, Math.round(mark)));
    return reached - from;
  };
  return {
    detectMs: phase(marks.verdictAt),
    decideMs: phase(marks.planAt),
    verifyMs: phase(marks.provenAt),
    openMs: phase(marks.openedAt),
    propagateMs: phase(end),
    totalMs: end - start,
  };
}

/**
 * Recovery point actual, in ms of source time: how much of the newest accepted state the standby
 * did not have when it was opened. 0 when it had everything.
 */
export function recoveryPointMs(times: {
  /** Source time of the newest change that the lost region had accepted. */
  readonly acceptedUpTo: number;
  /** Source time of the newest change that the standby serves. */
  readonly keptUpTo: number;
}): number {
  return Math.max(0, Math.round(times.acceptedUpTo) - Math.round(times.keptUpTo));
}
