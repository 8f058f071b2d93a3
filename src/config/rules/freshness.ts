import { formatDuration } from "../../model/units.ts";
import { type Finding, listed, type Rule, workflowsOf } from "./rule.ts";

/** Rules about how late a pipeline may be, and about what bad or old data may set in motion. */

export const freshTenantsExist: Rule = (spec) =>
  Object.entries(spec.indexes).flatMap(([index, { freshness }]) =>
    Object.keys(freshness?.tenants ?? {})
      .filter((tenant) => !Object.hasOwn(spec.tenants, tenant))
      .map((tenant) => ({
        path: ["indexes", index, "freshness", "tenants", tenant],
        involves: [["tenants"]],
        message: "is no tenant of this estate",
        instead: `write one of ${listed(Object.keys(spec.tenants))}`,
      })),
  );

/** A standby that is ready at `maxLag` would else serve what is stale by the same spec. */
export const freshOutlastsLag: Rule = (spec) =>
  Object.entries(spec.indexes).flatMap(([index, { freshness, maxLag }]): Finding[] => {
    if (freshness === undefined) return [];
    const ages = [
      { path: ["maxAge"], age: freshness.maxAge },
      ...Object.entries(freshness.tenants).map(([tenant, age]) => ({
        path: ["tenants", tenant],
        age,
      })),
    ];
    return ages
      .filter(({ age }) => age < maxLag)
      .map(({ path }) => ({
        path: ["indexes", index, "freshness", ...path],
        involves: [["indexes", index, "maxLag"]],
        message: `is shorter than maxLag (${formatDuration(maxLag)}): a standby that is ready would be stale`,
        instead: "write a longer one, or a shorter maxLag",
      }));
  });

/** What is said of stale documents must be possible, and must be asked for. */
export const stalePolicyAgrees: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { retrieval }]): Finding[] => {
    if (retrieval === undefined || retrieval.stale === "label") return [];
    const path = ["workflows", name, "retrieval", "stale"];
    const index = spec.indexes[retrieval.index];
    if (index !== undefined && index.freshness === undefined) {
      const message = `is never looked at: nothing says how late ${retrieval.index} may be`;
      const instead = `write indexes.${retrieval.index}.freshness, or remove it`;
      return [{ path, involves: [["indexes", retrieval.index]], message, instead }];
    }
    if (retrieval.stale !== "no-retrieval" || !retrieval.required) return [];
    const message = "cannot be done, since retrieval is required";
    const instead = "write label or refuse, or retrieval.required: false";
    const involves = [["workflows", name, "retrieval", "required"]];
    return [{ path, involves, message, instead }];
  });

/** A failure domain that can never come true for a workflow only looks like a safeguard. */
export const indexSignalsApply: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { declare, retrieval }]) =>
    declare.signals.flatMap((signal, at): Finding[] => {
      const path = ["workflows", name, "declare", "signals", at];
      const isOfIndex = signal === "index-corruption" || signal === "stale-data";
      if (!isOfIndex) return [];
      if (retrieval === undefined) {
        const message = "is about an index, and this workflow searches none";
        return [{ path, message, instead: "remove it, or add retrieval" }];
      }
      const index = spec.indexes[retrieval.index];
      if (signal !== "stale-data" || index === undefined || index.freshness !== undefined)
        return [];
      const message = `is never told: nothing says how late ${retrieval.index} may be`;
      const instead = `write indexes.${retrieval.index}.freshness, or remove it`;
      return [{ path, involves: [["indexes", retrieval.index]], message, instead }];
    }),
  );
