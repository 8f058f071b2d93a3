import { formatDuration } from "../../model/units.ts";
import { cyclesIn } from "./cycles.ts";
import { type Finding, type Rule, workflowsOf } from "./rule.ts";

/** Rules about what a workflow was promised: times, order of recovery, degraded modes, declaring. */

/**
 * After the outage is confirmed, the standby must still be proven, opened and seen to answer, and
 * every gateway must learn of it. An assumption, not a measurement: compare it with the RTA split of
 * a drill's report.
 */
const RTO_MARGIN_MS = 2_000;

export const rtoCanBeMet: Rule = (spec) =>
  workflowsOf(spec)
    .filter(([, { standbys }]) => standbys.length > 0 && spec.controllers.length > 0)
    .filter(([, { rto }]) => rto < spec.detection.confirm + RTO_MARGIN_MS)
    .map(([name]) => {
      const least = written(spec.detection.confirm + RTO_MARGIN_MS);
      const confirm = formatDuration(spec.detection.confirm);
      return {
        path: ["workflows", name, "rto"],
        involves: [["detection", "confirm"]],
        message: `can never be met: confirming an outage alone takes ${confirm} (detection.confirm)`,
        instead: `write at least ${least}, or shorten detection.confirm`,
      };
    });

/** One lost probe would otherwise be a confirmed outage, and every hiccup a move across regions. */
export const confirmOutlastsProbes: Rule = ({ detection }) => {
  const least = 2 * detection.interval;
  if (detection.confirm >= least) return [];
  const interval = formatDuration(detection.interval);
  return [
    {
      path: ["detection", "confirm"],
      involves: [["detection", "interval"]],
      message: `is shorter than two probes at ${interval} each: one lost probe would look like an outage`,
      instead: `write at least ${written(least)}`,
    },
  ];
};

/** The dead region's own agent is silent, so it cannot be one of those who must agree. */
export const witnessesCanAgree: Rule = (spec) => {
  // Every region counts: one without an agent is a fault that regionsHaveAgents reports.
  const others = spec.controllers.length + Object.keys(spec.regions).length - 1;
  const moves = workflowsOf(spec).some(([, { standbys }]) => standbys.length > 0);
  if (spec.controllers.length === 0 || !moves || spec.detection.witnesses <= others) return [];
  return [
    {
      path: ["detection", "witnesses"],
      involves: [["controllers"], ["regions"]],
      message: `can never agree: outside a dead region only ${others} observers are left`,
      instead: `write at most ${Math.max(2, others)}, or add a controller or a region with an agent`,
    },
  ];
};

/** A standby that counts as ready at `maxLag` may lose that much, whatever the rpo promises. */
export const lagKeepsRpo: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { rpo, retrieval, standbys }]): Finding[] => {
    const index = spec.indexes[retrieval?.index ?? ""];
    if (retrieval?.required !== true || standbys.length === 0 || index === undefined) return [];
    if (index.maxLag <= rpo) return [];
    const lag = formatDuration(index.maxLag);
    return [
      {
        path: ["workflows", name, "rpo"],
        involves: [["indexes", retrieval.index, "maxLag"]],
        message: `cannot be kept: a standby of index ${retrieval.index} is ready when it lags ${lag}`,
        instead: `write indexes.${retrieval.index}.maxLag: ${written(rpo)}, or rpo: ${written(index.maxLag)}`,
      },
    ];
  });

export const dependenciesHaveNoCycle: Rule = (spec) => {
  const graph = new Map(workflowsOf(spec).map(([name, { dependsOn }]) => [name, dependsOn]));
  return cyclesIn(graph).map((cycle) => {
    const [first = "", second = ""] = cycle;
    const at = graph.get(first)?.indexOf(second) ?? 0;
    return {
      path: ["workflows", first, "dependsOn", at],
      involves: cycle.map((name) => ["workflows", name, "dependsOn"]),
      message: `closes a cycle: ${cycle.join(" -> ")}; none of them could be recovered first`,
      instead: `remove one of these dependencies`,
    };
  });
};

export const dependenciesAreFaster: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { rto, dependsOn }]) =>
    dependsOn.flatMap((other, at): Finding[] => {
      const theirs = spec.workflows[other]?.rto;
      if (theirs === undefined || theirs <= rto) return [];
      return [
        {
          path: ["workflows", name, "dependsOn", at],
          involves: [
            ["workflows", name, "rto"],
            ["workflows", other, "rto"],
          ],
          message: `may take ${formatDuration(theirs)} to recover, longer than the rto of ${name}`,
          instead: `write rto: ${written(theirs)} for ${name}, or a shorter one for ${other}`,
        },
      ];
    }),
  );

/** `no-retrieval` and `retrieval.required` say the same thing twice, so they must agree. */
export const noRetrievalAgrees: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { degradedModes, retrieval }]): Finding[] => {
    const at = degradedModes.indexOf("no-retrieval");
    const mode = ["workflows", name, "degradedModes", at];
    const required = ["workflows", name, "retrieval", "required"];
    if (at >= 0 && retrieval === undefined) {
      const message = "gives up retrieval, which this workflow does not have";
      return [{ path: mode, message, instead: "remove it, or add retrieval" }];
    }
    if (at >= 0 && retrieval?.required === true) {
      const message = "can never be entered, since retrieval is required";
      const instead = "write retrieval.required: false, or remove it";
      return [{ path: mode, involves: [required], message, instead }];
    }
    if (at >= 0 || retrieval?.required !== false) return [];
    const message = "lets the workflow go on without documents, yet degradedModes does not say so";
    const instead = `write degradedModes: [${["no-retrieval", ...degradedModes].join(", ")}]`;
    const involves = [["workflows", name, "degradedModes"]];
    return [{ path: required, involves, message, instead }];
  });

export const modesDiffer: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { degradedModes }]) =>
    degradedModes.flatMap((mode, at): Finding[] =>
      degradedModes.indexOf(mode) === at
        ? []
        : [
            {
              path: ["workflows", name, "degradedModes", at],
              message: "stands in this list twice",
              instead: "remove one of the two",
            },
          ],
    ),
  );

/** A standby that nobody may ever call up is a cost without a use. */
export const outageMayBeDeclared: Rule = (spec) =>
  workflowsOf(spec)
    .filter(([, { standbys, declare }]) => {
      return standbys.length > 0 && !declare.signals.includes("region-outage");
    })
    .map(([name, { declare }]) => ({
      path: ["workflows", name, "declare", "signals"],
      involves: [["workflows", name, "standbys"]],
      message: "leaves out region-outage, so the standbys could never take over",
      instead: `write [${["region-outage", ...declare.signals].join(", ")}]`,
    }));

const VARIABLE = /\{([^{}]*)\}/g;
const MESSAGE_VARIABLES = ["workflow", "from", "to", "mode"];

export const messageVariablesExist: Rule = (spec) =>
  workflowsOf(spec).flatMap(([name, { customers }]) =>
    [...customers.message.matchAll(VARIABLE)]
      .filter(([, variable = ""]) => !MESSAGE_VARIABLES.includes(variable))
      .map(([whole]) => ({
        path: ["workflows", name, "customers", "message"],
        message: `uses ${whole}, which nobody fills in`,
        instead: `use only ${MESSAGE_VARIABLES.map((variable) => `{${variable}}`).join(", ")}`,
      })),
  );

/** A duration as a spec writes it. */
function written(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
