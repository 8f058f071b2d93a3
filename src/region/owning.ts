import { TideoverError } from "../lib/errors.ts";
import type { IndexName } from "../model/ids.ts";
import type { Ownership } from "../model/intent.ts";
import { formatDuration } from "../model/units.ts";
import type { World } from "./world.ts";

/** Refuses a write that belongs elsewhere, and says where. */
export class NotOwnerError extends TideoverError {
  readonly owner: {
    readonly region: string;
    readonly agent: string | null;
    readonly epoch: number;
  };

  constructor(world: World, ownership: Ownership) {
    const { index, region, epoch } = ownership;
    const agent = world.agentUrl(region);
    super(
      `${world.options.region} does not own index "${index}": ${region} does, under epoch ${epoch}`,
      {
        code: "EPOCH_STALE",
        next: `Send it to the agent of ${region}${agent ? ` at ${agent}` : ""}.`,
      },
    );
    this.owner = { region, agent, epoch };
  }
}

/**
 * The ownership under which this region may write an index now. Throws EPOCH_STALE when another
 * region owns it; NOT_READY (retry: later) when nobody is known to, or while it is frozen;
 * STORE_UNAVAILABLE (retry: later) when the knowledge is too old to write under.
 */
export function mustOwn(world: World, index: IndexName): Ownership {
  const { region, clock, spec } = world.options;
  const ownership = world.book.of(index);
  if (ownership === null) {
    throw refusal(`it is not known yet who owns index "${index}"`, "NOT_READY");
  }
  if (ownership.region !== region) throw new NotOwnerError(world, ownership);
  if (ownership.frozen) {
    throw refusal(`index "${index}" is frozen while a planned move drains it`, "NOT_READY");
  }
  refuseCutOff(world, index, world.book.unreadForMs(clock.monotonic()), spec.detection.confirm);
  return ownership;
}

/**
 * Whoever cannot read the store may have been replaced without hearing of it. What it went on to
 * accept would be a tail that the new owner never sees and that has to be taken back afterwards:
 * acknowledged, then lost. After `confirm`, the earliest moment of a replacement, it stops.
 */
function refuseCutOff(world: World, index: IndexName, unreadMs: number, confirmMs: number): void {
  if (unreadMs <= confirmMs) return;
  throw refusal(
    `${world.options.region} has not read the store for ${formatDuration(unreadMs)}: another region may own index "${index}" by now`,
    "STORE_UNAVAILABLE",
  );
}

function refusal(message: string, code: "NOT_READY" | "STORE_UNAVAILABLE"): TideoverError {
  return new TideoverError(message, { code, retry: "later", next: "Send it again in a moment." });
}
