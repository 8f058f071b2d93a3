import { type Finding, listed, type Rule, servingRegions, workflowsOf } from "./rule.ts";

/** Rules about how gateways wait for targets, and about which target is for what. */

const SPANS = ["firstToken", "stall", "wholeAnswer"] as const;

export const spansAreOrdered: Rule = (spec) =>
  SPANS.flatMap((span): Finding[] => {
    const { least, most } = spec.reflex[span];
    if (least <= most) return [];
    const message = "is above most: no wait could keep both";
    const instead = `write ${most}ms or less, or a longer most`;
    return [{ path: ["reflex", span, "least"], message, instead }];
  });

/** A region without it would pass refusals on where another answers; one with nothing else never serves. */
export const longContextExists: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, workflow]) =>
    servingRegions(spec, workflow).flatMap((region): Finding[] => {
      const targets = spec.regions[region]?.components.runtime.targets.map((one) => one.name) ?? [];
      const path = ["workflows", name, "longContext"];
      const { longContext } = workflow;
      if (longContext === undefined) return [];
      if (!targets.includes(longContext)) {
        const instead = `write one of ${listed(targets)}`;
        return [{ path, message: `is not a target of ${region}`, instead }];
      }
      if (targets.length > 1) return [];
      const message = `is the only target of ${region}: none would be left for other requests`;
      return [{ path, message, instead: "add a target for the usual requests" }];
    }),
  );
