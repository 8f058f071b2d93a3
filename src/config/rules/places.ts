import type { Spec } from "../../model/spec.ts";
import { didYouMean } from "../did-you-mean.ts";
import { type Finding, listed, type Rule, regionsOf, workflowsOf } from "./rule.ts";

/** Rules about names that must exist: regions, indexes, workflows. */

export const partsAreNotEmpty: Rule = (spec) =>
  (
    [
      ["regions", "region", spec.regions],
      ["tenants", "tenant", spec.tenants],
      ["workflows", "workflow", spec.workflows],
    ] as const
  )
    .filter(([, , members]) => Object.keys(members).length === 0)
    .map(([part, member]) => ({
      path: [part],
      value: "",
      message: `holds no ${member}: nothing could be served`,
      instead: `write at least one ${member} below it`,
    }));

export const primaryExists: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { primary }]) =>
    regionExists(spec, primary, ["workflows", name, "primary"]),
  );

export const standbysExist: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { standbys }]) =>
    standbys.flatMap((standby, at) =>
      regionExists(spec, standby, ["workflows", name, "standbys", at]),
    ),
  );

export const standbysDiffer: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { primary, standbys }]) =>
    standbys.flatMap((standby, at): Finding[] => {
      const path = ["workflows", name, "standbys", at];
      const involves = [["workflows", name, "primary"]];
      if (standby === primary) {
        const message = "is the primary too: it cannot stand in for itself";
        return [{ path, involves, message, instead: "write another region" }];
      }
      if (standbys.indexOf(standby) === at) return [];
      return [{ path, message: "stands in this list twice", instead: "remove one of the two" }];
    }),
  );

export const passiveHasStandby: Rule = (spec) =>
  workflowsOf(spec)
    .filter(([, { standbys }]) => standbys.length === 0)
    .flatMap(([name, workflow]): Finding[] => {
      const others = Object.keys(spec.regions).filter((region) => region !== workflow.primary);
      // An estate of one region has nowhere to go: that is its owner's choice, not a slip.
      if (others.length === 0 || spec.regions[workflow.primary] === undefined) return [];
      return [
        {
          path: ["workflows", name, "pattern"],
          involves: [["workflows", name, "standbys"]],
          message: `needs a standby, and ${name} names none`,
          instead: `add standbys: [${others.join(", ")}] to ${name}`,
        },
      ];
    });

export const homeExists: Rule = (spec) =>
  Object.entries(spec.indexes).flatMap(([name, { home }]) =>
    regionExists(spec, home, ["indexes", name, "home"]),
  );

/** The home's pipeline writes the index, so it must have the index at all. */
export const homeHasIndex: Rule = (spec) =>
  Object.entries(spec.indexes).flatMap(([name, { home }]): Finding[] => {
    const region = spec.regions[home];
    if (region === undefined || region.components.index !== undefined) return [];
    return [
      {
        path: ["indexes", name, "home"],
        involves: [["regions", home, "components"]],
        message: "has no index component, so it cannot be this index's home",
        instead: `add index: { engine: sqlite } under regions.${home}.components`,
      },
    ];
  });

export const retrievalIndexExists: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { retrieval }]): Finding[] => {
    if (retrieval === undefined || spec.indexes[retrieval.index] !== undefined) return [];
    const known = Object.keys(spec.indexes);
    return [
      {
        path: ["workflows", name, "retrieval", "index"],
        message: "is not an index of this estate",
        instead: advice(retrieval.index, known, "indexes"),
      },
    ];
  });

export const dependenciesExist: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { dependsOn }]) =>
    dependsOn.flatMap((other, at): Finding[] => {
      if (spec.workflows[other] !== undefined) return [];
      const known = Object.keys(spec.workflows).filter((workflow) => workflow !== name);
      return [
        {
          path: ["workflows", name, "dependsOn", at],
          message: "is not a workflow of this estate",
          instead: advice(other, known, "workflows"),
        },
      ];
    }),
  );

/** Without controllers there are only gateways, and nobody would ask an agent anything. */
export const regionsHaveAgents: Rule = (spec) =>
  regionsOf(spec)
    .filter(([, { agent }]) => agent === undefined && spec.controllers.length > 0)
    .filter(([name]) =>
      workflowsOf(spec).some(([, { primary, standbys }]) => [primary, ...standbys].includes(name)),
    )
    .map(([name]) => ({
      path: ["regions", name, "agent"],
      message: "is missing, so no controller could learn how this region is",
      instead: "add agent: host:port, or remove controllers for gateways without failover",
    }));

function regionExists(spec: Spec, region: string, path: Finding["path"]): Finding[] {
  if (spec.regions[region] !== undefined) return [];
  const known = Object.keys(spec.regions);
  const instead = advice(region, known, "regions");
  return [{ path, involves: [["regions", region]], message: "is not a region here", instead }];
}

function advice(name: string, known: readonly string[], part: string): string {
  const near = didYouMean(name, known);
  if (near !== undefined) return `write ${near}`;
  return known.length === 0
    ? `add ${name}: under ${part}`
    : `write one of ${listed(known)}, or add ${name} under ${part}`;
}
