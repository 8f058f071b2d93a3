import type { StepKind } from "../../model/plan.ts";
import { activateRelease } from "./activate-release.ts";
import { announce } from "./announce.ts";
import { bakeRelease } from "./bake-release.ts";
import { catchUpIndex } from "./catch-up-index.ts";
import { confirmAcknowledged } from "./confirm-acknowledged.ts";
import { freezeIndex } from "./freeze-index.ts";
import { openTraffic } from "./open-traffic.ts";
import { prefetchRelease, verifyRelease } from "./prefetch-release.ts";
import { promoteIndex } from "./promote-index.ts";
import { proveIndex } from "./prove-index.ts";
import { proveReadiness } from "./prove-readiness.ts";
import { proveRelease } from "./prove-release.ts";
import { proveTraffic } from "./prove-traffic.ts";
import { recordRelease } from "./record-release.ts";
import type { StepRunner } from "./step.ts";
import { takeOwnership } from "./take-ownership.ts";
import { takeRelease } from "./take-release.ts";

/** A new kind of step is one file beside these, one line here, and its name in the model. */
export const STEPS: Readonly<Record<StepKind, StepRunner>> = {
  "prove-readiness": proveReadiness,
  "prove-index": proveIndex,
  "take-ownership": takeOwnership,
  "freeze-index": freezeIndex,
  "catch-up-index": catchUpIndex,
  "promote-index": promoteIndex,
  "open-traffic": openTraffic,
  "confirm-acknowledged": confirmAcknowledged,
  "prove-traffic": proveTraffic,
  announce,
  "prefetch-release": prefetchRelease,
  "verify-release": verifyRelease,
  "take-release": takeRelease,
  "activate-release": activateRelease,
  "prove-release": proveRelease,
  "bake-release": bakeRelease,
  "record-release": recordRelease,
};
