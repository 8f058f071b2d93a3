import type { Acknowledgement } from "../../ports/traffic.ts";
import { stepFailed } from "../engine/errors.ts";
import { readSnapshot, type StoredSnapshot } from "../engine/state.ts";
import type { StepContext, StepRunner } from "./step.ts";

type Answer = readonly [region: string, answer: Acknowledgement];

/** Every gateway that callers may still reach must serve the opening snapshot, or a later one. */
export const confirmAcknowledged: StepRunner = {
  kind: "confirm-acknowledged",
  async check(ctx) {
    return (await laggards(ctx)).length === 0;
  },
  async apply(ctx) {
    const snapshot = await published(ctx);
    const behind = await laggards(ctx);
    await Promise.all(behind.map(([region]) => ctx.deps.traffic.publish(region, snapshot.signed)));
  },
  async prove(ctx) {
    const { number } = await published(ctx);
    const behind = await laggards(ctx);
    const failed = ctx.engine.failed();
    // A gateway that died meanwhile serves nobody; it gets the snapshot when it is back.
    const living = behind.filter(
      ([region, { reachable }]) => reachable || !failed.includes(region),
    );
    if (living.length > 0) throw stepFailed(living.map(reasonOf(number)).join("; "), "later");
    const excused = behind.map(([region]) => region);
    const regions = ctx.step.regions.filter((region) => !excused.includes(region));
    const dead = excused.length === 0 ? "" : `; ${excused.join(", ")} failed and answers nobody`;
    return {
      text: `snapshot ${number} is acknowledged by ${regions.join(", ")}${dead}`,
      data: { number, regions, excused },
    };
  },
  undo: async () => "nothing to put back: an acknowledgement changes nothing",
};

/** Gateways that are not known to serve it: asked each time, since a gateway may be restarted. */
async function laggards(ctx: StepContext): Promise<Answer[]> {
  const { number } = await published(ctx);
  const answers = await Promise.all(
    ctx.step.regions.map(
      async (region): Promise<Answer> => [region, await ctx.deps.traffic.acknowledged(region)],
    ),
  );
  return answers.filter(([, answer]) => !answer.reachable || answer.number < number);
}

/** The newest in the store: numbers only grow, so whoever has it has the opening one's content. */
async function published(ctx: StepContext): Promise<StoredSnapshot> {
  const snapshot = await readSnapshot(ctx.deps.store);
  if (snapshot === null) throw stepFailed("there is no snapshot in the store", "never");
  return snapshot.value;
}

function reasonOf(wanted: number): (answer: Answer) => string {
  return ([region, answer]) =>
    answer.reachable
      ? `${region}'s gateway serves snapshot ${answer.number}, not ${wanted}${answer.lastError === null ? "" : `: ${answer.lastError}`}`
      : `${region}'s gateway does not answer: ${answer.reason}`;
}
