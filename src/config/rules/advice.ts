import { formatDuration } from "../../model/units.ts";
import { type Rule, workflowsOf } from "./rule.ts";

/** What may be meant, and is still worth a word. Unlike the rules, advice refuses no spec. */

/**
 * While a lost copy comes back, the region cannot serve what requires it. As long as another region
 * has its own copy that is no outage; when both are lost, or only one was ever there, it is one that
 * lasts as long as the rebuild.
 */
export const rebuildKeepsRto: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { rto, retrieval }]) => {
    const rebuild = spec.indexes[retrieval?.index ?? ""]?.replication.rebuild;
    if (retrieval?.required !== true || rebuild === undefined || rebuild <= rto) return [];
    const told = `${formatDuration(rebuild)}, longer than the rto of ${name} (${formatDuration(rto)})`;
    return [
      {
        path: ["indexes", retrieval.index, "replication", "rebuild"],
        involves: [["workflows", name, "rto"]],
        message: `says that a lost copy takes ${told}`,
        instead:
          "restore its hot part first (strategy: hot-subset with serveHot), keep copies in more regions, or write retrieval.required: false",
      },
    ];
  });

export const ADVICE: readonly Rule[] = [rebuildKeepsRto];
