import { GATEWAY_PATHS } from "../../src/wire/headers.ts";
import { SURVIVOR, VICTIM, type Victims } from "./estate.ts";

/** When the estate itself first showed that it had noticed, and how. */
export interface Noticed {
  readonly at: number;
  readonly by: string;
}

interface Status {
  readonly number: number;
  readonly targets: readonly { readonly name: string; readonly ejectedForMs: number }[];
}

const EVERY_MS = 25;

/**
 * Looks at both gateways until one has left something alone, or a newer snapshot tells that the
 * controllers decided. Times are those of `clock`. `stop` gives what was seen first, null if nothing.
 */
export async function watch(
  victims: Victims,
  clock: () => number,
): Promise<{ stop(): Noticed | null }> {
  const before = (await look(victims, SURVIVOR))?.number ?? 0;
  let first: Noticed | null = null;
  let stopped = false;
  const follow = async (region: string): Promise<void> => {
    while (!stopped && first === null) {
      const status = await look(victims, region);
      const by = status === null ? null : noticedBy(region, status, before);
      if (by !== null) first ??= { at: clock(), by };
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  };
  for (const region of [VICTIM, SURVIVOR]) void follow(region);
  return {
    stop: () => {
      stopped = true;
      return first;
    },
  };
}

function noticedBy(region: string, { number, targets }: Status, before: number): string | null {
  const ejected = targets.find(({ ejectedForMs }) => ejectedForMs > 0);
  if (ejected !== undefined) return `the gateway of ${region} left ${ejected.name} alone`;
  return number > before ? `snapshot ${number} at ${region}` : null;
}

async function look(victims: Victims, region: string): Promise<Status | null> {
  try {
    const signal = AbortSignal.timeout(500);
    const url = `${victims.gateways[region]}${GATEWAY_PATHS.status}`;
    return (await (await fetch(url, { signal })).json()) as Status;
  } catch {
    return null;
  }
}
