import type { Component } from "../../model/domain.ts";
import type { RegionSpec, Spec } from "../../model/spec.ts";
import { cyclesIn } from "./cycles.ts";
import { type Finding, type Rule, regionsOf, servingRegions, workflowsOf } from "./rule.ts";

/** Rules about the components of regions, and about those that workflows cannot do without. */

/** What a region has: its own components, and what comes with the estate or with its targets. */
function componentsIn(spec: Spec, region: RegionSpec): Component[] {
  const { components } = region;
  const own = (["runtime", "index", "pipeline", "telemetry", "secrets"] as const).filter(
    (name) => components[name] !== undefined,
  );
  const hasProvider = components.runtime.targets.some(({ reference }) => reference === undefined);
  return [
    ...own,
    ...(spec.release === undefined ? [] : (["release"] as const)),
    ...(hasProvider ? (["provider"] as const) : []),
  ];
}

export const needsExist: Rule = (spec) =>
  regionsOf(spec).flatMap(([name, region]) => {
    const present = componentsIn(spec, region);
    return needsOf(region).flatMap(([component, needs]) =>
      needs.flatMap((need, at): Finding[] => {
        if (present.includes(need)) return [];
        return [
          {
            path: ["regions", name, "components", component, "needs", at],
            involves: [["regions", name, "components", need], ["release"]],
            message: `is not in region ${name}`,
            instead: howToAdd(need, name),
          },
        ];
      }),
    );
  });

export const needsHaveNoCycle: Rule = (spec) =>
  regionsOf(spec).flatMap(([name, region]) => {
    const graph = new Map<string, readonly string[]>(needsOf(region));
    return cyclesIn(graph).map((cycle): Finding => {
      const [first = "", second = ""] = cycle;
      const at = graph.get(first)?.indexOf(second) ?? 0;
      return {
        path: ["regions", name, "components", first, "needs", at],
        message: `closes a cycle: ${cycle.join(" -> ")}; none of them could start first`,
        instead: "remove one of these needs",
      };
    });
  });

/** A standby without the index would open and answer from nothing. */
export const retrievalHasIndexEverywhere: Rule = (spec) =>
  workflowsOf(spec)
    .filter(([, { retrieval }]) => retrieval !== undefined)
    .flatMap(([name, workflow]) => lacking(spec, name, servingRegions(spec, workflow), "index"));

/** Components that a workflow may name for the day that they come, but not rely on yet. */
const NOT_RUN: readonly Component[] = ["features", "sessions"];

export const requiredComponentsAreRun: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { required }]) =>
    required.flatMap((component, at): Finding[] => {
      if (!NOT_RUN.includes(component)) return [];
      const message = "is a component that this version of Tideover does not run";
      const instead = "remove it: no region could ever be ready";
      return [{ path: ["workflows", name, "required", at], message, instead }];
    }),
  );

export const requiredComponentsExist: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, workflow]) =>
    workflow.required
      .filter((component) => !NOT_RUN.includes(component))
      // An index that is searched is wanted anyway: retrievalHasIndexEverywhere speaks of it.
      .filter((component) => component !== "index" || workflow.retrieval === undefined)
      .flatMap((component) => lacking(spec, name, servingRegions(spec, workflow), component)),
  );

function lacking(
  spec: Spec,
  workflow: string,
  regions: readonly string[],
  component: Component,
): Finding[] {
  return regions.flatMap((name): Finding[] => {
    const region = spec.regions[name];
    if (region === undefined || componentsIn(spec, region).includes(component)) return [];
    return [
      {
        path: ["regions", name, "components"],
        on: "key",
        value: "",
        involves: [["workflows", workflow], ["release"]],
        message: `lacks ${component}, which workflow ${workflow} needs in every region that serves it`,
        instead: howToAdd(component, name),
      },
    ];
  });
}

export const requiredOrOptional: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { required, optional }]) =>
    optional.flatMap((component, at): Finding[] => {
      if (!required.includes(component)) return [];
      return [
        {
          path: ["workflows", name, "optional", at],
          involves: [["workflows", name, "required"]],
          message: "is required as well: it cannot be both",
          instead: "remove it from required or from optional",
        },
      ];
    }),
  );

/** `required: [index]` and `retrieval.required` must not contradict each other. */
export const indexAgrees: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { required, optional, retrieval }]): Finding[] => {
    const involves = [["workflows", name, "retrieval"]];
    const inRequired = required.indexOf("index");
    if (inRequired >= 0 && retrieval?.required === false) {
      const path = ["workflows", name, "required", inRequired];
      const message = "is required here, while retrieval.required is false";
      const instead = "move index to optional, or write retrieval.required: true";
      return [{ path, involves, message, instead }];
    }
    const inOptional = optional.indexOf("index");
    if (inOptional < 0 || retrieval?.required !== true) return [];
    const path = ["workflows", name, "optional", inOptional];
    const message = "is optional here, while retrieval.required is true";
    const instead = "move index to required, or write retrieval.required: false";
    return [{ path, involves, message, instead }];
  });

/** Equal names prove nothing: the weights behind them must be equal too. */
export const weightsAreIdentical: Rule = (spec) => {
  const found = new Map<string, Finding>();
  for (const [name, workflow] of workflowsOf(spec)) {
    if (!workflow.consistency.identical.includes("model")) continue;
    // Many workflows share a pair of regions; the difference is one fault of the regions.
    for (const finding of differingWeights(spec, name, servingRegions(spec, workflow)))
      found.set(JSON.stringify(finding.path), found.get(JSON.stringify(finding.path)) ?? finding);
  }
  return [...found.values()];
};

function differingWeights(spec: Spec, workflow: string, regions: readonly string[]): Finding[] {
  const [first = "", ...others] = regions;
  const expected = firstReference(spec, first);
  if (expected === undefined) return [];
  return others.flatMap((region) =>
    (["modelDigest", "embeddingSalt"] as const).flatMap((member): Finding[] => {
      const actual = firstReference(spec, region);
      if (actual === undefined || actual[member] === expected[member]) return [];
      const what = member === "modelDigest" ? "the weights differ" : "the embeddings differ";
      return [
        {
          path: referencePath(region, member),
          involves: [referencePath(first, member)],
          message: `is not what ${first} has: ${what}, while ${workflow} wants the model identical`,
          instead: `write ${JSON.stringify(expected[member])} as in ${first}`,
        },
      ];
    }),
  );
}

/** Only the first target is compared: a second one may be the smaller model on purpose. */
function firstReference(spec: Spec, region: string) {
  return spec.regions[region]?.components.runtime.targets[0]?.reference;
}

function referencePath(region: string, member: string): Finding["path"] {
  return ["regions", region, "components", "runtime", "targets", 0, "reference", member];
}

function needsOf(region: RegionSpec): [component: string, needs: Component[]][] {
  return Object.entries(region.components).flatMap(([component, part]) =>
    part === undefined ? [] : [[component, part.needs] as [string, Component[]]],
  );
}

const HOW_TO_ADD: Readonly<Partial<Record<Component, string>>> = {
  index: "index: { engine: sqlite }",
  pipeline: "pipeline: {}",
  telemetry: "telemetry: { audit: file }",
  secrets: "secrets: { env: [NAME_OF_VARIABLE] }",
};

function howToAdd(component: Component, region: string): string {
  const block = HOW_TO_ADD[component];
  if (block !== undefined) return `add ${block} under regions.${region}.components`;
  if (component === "release") return "add release: FOLDER at the top of the file, or remove it";
  if (component === "provider") return "add a target without reference, or remove it";
  return `remove it: this version of Tideover runs no ${component} component`;
}
