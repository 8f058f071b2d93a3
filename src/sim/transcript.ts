import type { Decision } from "../model/decision.ts";
import type { Evidence } from "../model/evidence.ts";
import type { Verdict } from "../model/verdict.ts";

/**
 * The record as an operator would tell it, one line an entry, without the sentences' figures, so
 * that a test can hold it against what should have happened.
 */
export function transcript(evidence: readonly Evidence[]): string {
  return evidence.map(lineOf).join("\n");
}

function lineOf({ kind, text, workflow, data }: Evidence): string {
  switch (kind) {
    case "verdict": {
      const { region, index, health } = data.verdict as Verdict;
      return `${index === undefined ? "" : `index ${index} in `}${region} is ${health}`;
    }
    case "decision":
      return `${workflow}: ${moveOf(data.decision as Decision)}`;
    case "plan":
      return `plan of ${workflow} is ${data.status}`;
    case "step":
      return `  ${data.step} ${data.status}`;
    case "snapshot":
      return `  snapshot ${data.number}`;
    default:
      return `${kind}: ${text}`;
  }
}

function moveOf({ kind, from, to }: Decision): string {
  return kind === "hold" ? "hold" : `${kind} from ${from.join(", ")} to ${to.join(", ")}`;
}
