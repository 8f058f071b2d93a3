import type { Plan } from "../../model/plan.ts";

/**
 * What customers are told of a plan: the workflow's message with its variables filled in. A name in
 * braces that is no variable stays as it is, so that nothing of the message is lost.
 */
export function announcementOf(plan: Pick<Plan, "workflow" | "decision">, message: string): string {
  const variables: Readonly<Record<string, string>> = {
    workflow: plan.workflow,
    from: plan.decision.from.join(", "),
    to: plan.decision.to.join(", "),
    mode: "normal",
  };
  return message.replace(/\{(\w+)\}/g, (whole, name) => variables[name] ?? whole);
}
