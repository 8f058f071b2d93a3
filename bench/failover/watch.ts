import { GATEWAY_PATHS } from "../../src/wire/headers.ts";
import { type Watcher, watchWith } from "./site.ts";
import { SURVIVOR, VICTIM } from "./victims.ts";

interface Status {
  readonly number: number;
  readonly targets: readonly { readonly name: string; readonly ejectedForMs: number }[];
}

/**
 * Looks at both gateways until one has left something alone, or a newer snapshot tells that the
 * controllers decided. `urls`: each region's gateway.
 */
export async function watch(
  urls: Readonly<Record<string, string>>,
  clock: () => number,
): Promise<Watcher> {
  const before = (await look(urls[SURVIVOR]))?.number ?? 0;
  const looks = [VICTIM, SURVIVOR].map((region) => async () => {
    const status = await look(urls[region]);
    return status === null ? null : noticedBy(region, status, before);
  });
  return watchWith(looks, clock);
}

function noticedBy(region: string, { number, targets }: Status, before: number): string | null {
  const ejected = targets.find(({ ejectedForMs }) => ejectedForMs > 0);
  if (ejected !== undefined) return `the gateway of ${region} left ${ejected.name} alone`;
  return number > before ? `snapshot ${number} at ${region}` : null;
}

async function look(url: string | undefined): Promise<Status | null> {
  try {
    const signal = AbortSignal.timeout(500);
    return (await (await fetch(`${url}${GATEWAY_PATHS.status}`, { signal })).json()) as Status;
  } catch {
    return null;
  }
}
