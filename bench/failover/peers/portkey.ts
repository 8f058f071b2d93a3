import { portkeyCommand } from "../../contenders/portkey.ts";
import { freePort, untilListening } from "../../support/bench.ts";
import type { StartSite } from "../site.ts";
import { MODEL, type Place, REGIONS } from "../victims.ts";

export const startPortkey: StartSite = async (bench, { places }, round) => {
  const port = await freePort();
  const name = `portkey-${round}`;
  const { command, cwd } = portkeyCommand(port);
  const child = bench.start(name, command, { env: { NODE_ENV: "production" }, cwd });
  await untilListening(port, child, () => bench.logOf(name));
  return {
    gateways: [`http://127.0.0.1:${port}`],
    model: MODEL,
    headers: { "x-portkey-config": JSON.stringify(config(places)) },
    // It remembers nothing of a target from one request to the next, so there is nothing to see.
    watch: async () => ({ stop: () => null }),
    stop: async () => void child.kill("SIGKILL"),
  };
};

/**
 * The victim's runtimes in our order, then the other region's, on any answer that is no success.
 * No retries beside: each would be spent where it just failed, a second or more later.
 * `request_timeout` bounds the wait for an answer's head, streamed or not: it has one bound for both.
 */
function config(places: readonly Place[]): object {
  const fallback = { mode: "fallback" };
  const regions = REGIONS.map((region) => ({
    strategy: fallback,
    targets: places
      .filter((place) => place.region === region)
      .map(({ relayPort }) => ({
        provider: "openai",
        api_key: "unused",
        custom_host: `http://127.0.0.1:${relayPort}/v1`,
        request_timeout: 10_000,
      })),
  }));
  return { strategy: fallback, targets: regions };
}
