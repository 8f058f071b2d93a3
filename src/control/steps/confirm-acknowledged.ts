import type { Acknowledgement } from "../../ports/traffic.ts";
import { stepFailed } from "../engine/errors.ts";
import { readSnapshot, type StoredSnapshot } from "../engine/state.ts";
import type { StepContext, StepRunner } from "./step.ts";

type Answer = readonly [region: string, answer: Acknowledgement];

/** Every gateway that callers may still reach must serve the opening snapshot, or a later one. */
export const confirmAcknowledged: StepRunner = {
  kind: "confirm-acknowledged",
  async check(ctx) {
    return (await laggards(ctx, ctx.step.regions)).length === 0;
  },
  async apply(ctx) {
    const snapshot = await published(ctx);
    const behind = await laggards(ctx, ctx.step.regions);
    await Promise.all(behind.map(([region]) => ctx.deps.traffic.publish(region, snapshot.signed)));
  },
  async prove(ctx) {
    const { number } = await published(ctx);
    const answers = await answersOf(ctx, ctx.step.regions);
    const behind = behindOf(answers, number);
    const failed = ctx.engine.failed();
    // A gateway that died meanwhile serves nobody; it gets the snapshot when it is back.
    const living = behind.filter(
      ([region, { reachable }]) => reachable || !failed.includes(region),
    );
    if (living.length > 0) throw stepFailed(living.map(reasonOf(number)).join("; "), "later");
    const excused = behind.map(([region]) => region);
    const acknowledged = answers.map(([region, answer]) => ({ region, ...answer }));
    const regions = ctx.step.regions.filter((region) => !excused.includes(region));
    const dead = excused.length === 0 ? "" : `; ${excused.join(", ")} failed and answers nobody`;
    return {
      text: `snapshot ${number} is acknowledged by ${regions.join(", ")}${dead}`,
      data: { number, regions, excused, acknowledged },
    };
  },
  undo: async () => "nothing to put back: an acknowledgement changes nothing",
};

/** Gateways that are not known to serve it: asked each time, since a gateway may be restarted. */
export async function laggards(ctx: StepContext, regions: readonly string[]): Promise<Answer[]> {
  const { number } = await published(ctx);
  return behindOf(await answersOf(ctx, regions), number);
}

function behindOf(answers: readonly Answer[], number: number): Answer[] {
  return answers.filter(([, answer]) => !answer.reachable || answer.number < number);
}

function answersOf({ deps }: StepContext, regions: readonly string[]): Promise<Answer[]> {
  return Promise.all(
    regions.map(
      async (region): Promise<Answer> => [region, await deps.traffic.acknowledged(region)],
    ),
  );
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
