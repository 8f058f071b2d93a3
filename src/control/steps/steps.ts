import type { StepKind } from "../../model/plan.ts";
import { announce } from "./announce.ts";
import { catchUpIndex } from "./catch-up-index.ts";
import { confirmAcknowledged } from "./confirm-acknowledged.ts";
import { freezeIndex } from "./freeze-index.ts";
import { openTraffic } from "./open-traffic.ts";
import { promoteIndex } from "./promote-index.ts";
import { proveReadiness } from "./prove-readiness.ts";
import { proveTraffic } from "./prove-traffic.ts";
import type { StepRunner } from "./step.ts";
import { takeOwnership } from "./take-ownership.ts";

/** A new kind of step is one file beside these, one line here, and its name in the model. */
export const STEPS: Readonly<Record<StepKind, StepRunner>> = {
  "prove-readiness": proveReadiness,
  "take-ownership": takeOwnership,
  "freeze-index": freezeIndex,
  "catch-up-index": catchUpIndex,
  "promote-index": promoteIndex,
  "open-traffic": openTraffic,
  "confirm-acknowledged": confirmAcknowledged,
  "prove-traffic": proveTraffic,
  announce,
};
