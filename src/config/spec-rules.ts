import type { Spec } from "../model/spec.ts";
import * as addresses from "./rules/addresses.ts";
import { ADVICE } from "./rules/advice.ts";
import * as beside from "./rules/beside.ts";
import * as components from "./rules/components.ts";
import * as engines from "./rules/engines.ts";
import * as freshness from "./rules/freshness.ts";
import * as places from "./rules/places.ts";
import * as promises from "./rules/promises.ts";
import * as reflex from "./rules/reflex.ts";
import type { Beside, FileRule, Finding, Rule } from "./rules/rule.ts";

/**
 * All that must hold between the parts of a spec; a part's own shape is in model/spec.ts. A new
 * rule is a small function beside its siblings and a line here. Rules keep silent where another
 * one speaks: a region that does not exist is reported once, not by everyone who looks for it.
 */
const SPEC_RULES: readonly Rule[] = [
  places.partsAreNotEmpty,
  places.primaryExists,
  places.standbysExist,
  places.standbysDiffer,
  places.passiveHasStandby,
  places.homeExists,
  places.homeHasIndex,
  places.retrievalIndexExists,
  places.dependenciesExist,
  places.regionsHaveAgents,
  components.needsExist,
  components.needsHaveNoCycle,
  components.retrievalHasIndexEverywhere,
  components.requiredComponentsAreRun,
  components.requiredComponentsExist,
  components.requiredOrOptional,
  components.indexAgrees,
  components.weightsAreIdentical,
  engines.serverIsNamed,
  engines.partsFitTheEngine,
  engines.graphsCanBeBuilt,
  engines.oneSourceEach,
  engines.adoptedVectorsAreNamed,
  promises.rtoCanBeMet,
  promises.confirmOutlastsProbes,
  promises.witnessesCanAgree,
  promises.lagKeepsRpo,
  promises.dependenciesHaveNoCycle,
  promises.dependenciesAreFaster,
  promises.noRetrievalAgrees,
  promises.modesDiffer,
  promises.outageMayBeDeclared,
  promises.messageVariablesExist,
  freshness.freshTenantsExist,
  freshness.freshOutlastsLag,
  freshness.stalePolicyAgrees,
  freshness.indexSignalsApply,
  addresses.portsAreInRange,
  addresses.addressesDiffer,
  addresses.keysDiffer,
  reflex.spansAreOrdered,
  reflex.longContextExists,
];

const FILE_RULES: readonly FileRule[] = [
  beside.promptExists,
  beside.documentsReachTheModel,
  beside.searchHasEmbedding,
  beside.targetsRunTheRelease,
  beside.goldenTenantsExist,
];

/** Everything that does not hold. `files` is null when the files beside the spec were not read. */
export function judgeSpec(spec: Spec, files: Beside | null): Finding[] {
  const between = SPEC_RULES.flatMap((rule) => rule(spec));
  if (files === null) return between;
  return [...between, ...FILE_RULES.flatMap((rule) => rule(spec, files))];
}

/** What may be meant and is worth a word, one line each: `indexes.docs.x says …; write …`. */
export function adviseOn(spec: Spec): string[] {
  return ADVICE.flatMap((rule) => rule(spec)).map(
    ({ path, message, instead }) => `${path.join(".")} ${message}; ${instead}`,
  );
}
