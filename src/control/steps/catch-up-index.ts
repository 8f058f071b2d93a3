import type { Position } from "../../model/position.ts";
import { stepFailed } from "../engine/errors.ts";
import { indexOf, ownershipOf, regionOf } from "./ownership.ts";
import type { StepRunner } from "./step.ts";

/** Pulls the last changes from the frozen owner until both copies are the same. */
export const catchUpIndex: StepRunner = {
  kind: "catch-up-index",
  async check(ctx) {
    return (await ownershipOf(ctx)).value.region === regionOf(ctx);
  },
  async apply(ctx) {
    await ctx.deps.agents.catchUp(regionOf(ctx), indexOf(ctx), ctx.timeLeft());
  },
  async prove(ctx) {
    const [region, index] = [regionOf(ctx), indexOf(ctx)];
    if (await catchUpIndex.check(ctx)) return { text: `${region} owns ${index}`, data: {} };
    const { own, owner } = await ctx.deps.agents.catchUp(region, index, ctx.timeLeft());
    if (owner === null) throw stepFailed(`${index}: its owner does not answer ${region}`, "later");
    if (!isLevel(own, owner)) throw stepFailed(unlevel(region, own, owner), "later");
    return {
      text: `${region} has ${index} level with its owner at ${own.seq}: ${own.count} records, digest ${own.digest.slice(0, 8)}`,
      data: { own, owner },
    };
  },
  undo: async () => "nothing to put back: a replica may have every change",
};

/** Equal numbers alone would not do: two copies can count alike and hold different records. */
export function isLevel(a: Position, b: Position): boolean {
  return a.seq === b.seq && a.digest === b.digest && a.count === b.count;
}

function unlevel(region: string, own: Position, owner: Position): string {
  const [mine, theirs] = [own, owner].map(
    ({ seq, count, digest }) => `${seq} (${count} records, digest ${digest.slice(0, 8)})`,
  );
  return `${region} is at ${mine}, its owner at ${theirs}`;
}
