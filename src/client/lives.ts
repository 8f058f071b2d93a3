import type { Fetch } from "./tools.ts";
import type { World } from "./world.ts";

/** How long a gateway has to say that it lives, in ms. It needs neither model nor index for that. */
const ANSWER_MS = 2_000;

/**
 * Asks gateways whether they live, each once at a time: when a region stops, every open request
 * falls silent at once, and one question serves them all.
 */
export function createLives(fetch: Fetch, world: World): (base: string) => Promise<boolean> {
  const underWay = new Map<string, Promise<boolean>>();
  return (base) => {
    const asking = underWay.get(base);
    if (asking !== undefined) return asking;
    const question = ask(fetch, world, base).finally(() => underWay.delete(base));
    underWay.set(base, question);
    return question;
  };
}

async function ask(fetch: Fetch, world: World, base: string): Promise<boolean> {
  const late = new AbortController();
  let cancel = (): void => undefined;
  const overdue = new Promise<boolean>((resolve) => {
    cancel = world.after(ANSWER_MS, () => {
      late.abort(new Error("no sign of life"));
      resolve(false);
    });
  });
  try {
    return await Promise.race([answers(fetch, base, late.signal), overdue]);
  } finally {
    cancel();
  }
}

/** Any answer is a sign of life, except that of a proxy which says that nobody is behind it. */
async function answers(fetch: Fetch, base: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(`${base}/healthz`, { signal });
    response.body?.cancel().catch(() => undefined);
    return response.status < 500;
  } catch {
    return false;
  }
}
