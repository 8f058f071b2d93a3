import { announcementOf } from "../../core/plans/announcement.ts";
import type { Notice } from "../../ports/notify.ts";
import { stepFailed } from "../engine/errors.ts";
import type { StepContext, StepRunner } from "./step.ts";

/** Tells customers, once: the plan's id is the notice's, and a second send of it does nothing. */
export const announce: StepRunner = {
  kind: "announce",
  check: ({ deps, plan }) => deps.notify.sent(plan.id),
  apply: (ctx) => ctx.deps.notify.send(noticeOf(ctx)),
  async prove(ctx) {
    const { id, channel, text } = noticeOf(ctx);
    if (!(await ctx.deps.notify.sent(id))) throw stepFailed("the notice is not kept yet", "later");
    return { text: `told on ${channel}: ${text}`, data: { channel, message: text } };
  },
  undo: async () => "nothing to put back: what was said is said",
};

function noticeOf({ plan, workflow, deps }: StepContext): Notice {
  if (workflow === null) throw stepFailed("the plan names no workflow to speak of", "never");
  const { channel, message } = workflow.customers;
  const text = announcementOf(plan, message);
  return { id: plan.id, channel, audience: "customers", text, at: deps.clock.now() };
}
