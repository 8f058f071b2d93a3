import { type Random, seededRandom } from "../../../src/sim/random.ts";
import { type RawUpstream, startRaw } from "../../support/raw-upstream.ts";
import { drawFault, FAULTS, type Fault } from "./faults.ts";
import { later, scene, sound } from "./play.ts";

/** The share of requests that something goes wrong with, while an upstream is not in a bad spell. */
const FAULTY = 0.25;

/** A bad spell is one fault for every request, for a while. In ms. */
interface Weather {
  readonly spell: Span;
  readonly between: Span;
}

interface Span {
  readonly least: number;
  readonly most: number;
}

/** Of one upstream, and of a whole region at once. */
const OF_ONE: Weather = {
  spell: { least: 2_000, most: 15_000 },
  between: { least: 8_000, most: 45_000 },
};
const OF_REGION: Weather = {
  spell: { least: 2_000, most: 20_000 },
  between: { least: 25_000, most: 120_000 },
};
const LASTING = FAULTS.filter(({ lasting }) => lasting);

/** An upstream that answers soundly, mostly. */
export interface Moody {
  readonly name: string;
  readonly url: string;
  close(): Promise<void>;
}

/** How often each fault was played, over all upstreams. */
export type Played = Map<string, number>;

/** One region's upstreams. `seed` fixes the order in which each draws its faults. */
export async function startMoody(
  names: readonly string[],
  seed: number,
  played: Played,
): Promise<readonly Moody[]> {
  const region = startMood(seededRandom(seed), OF_REGION);
  return Promise.all(
    names.map(async (name, at) => {
      const own = startMood(seededRandom(seed + 10 * at + 1), OF_ONE);
      const upstream = await startRaw(name);
      answerMoodily(upstream, [region, own], seededRandom(seed + 10 * at + 2), played);
      const close = (): Promise<void> => {
        for (const mood of [region, own]) mood.stop();
        return upstream.close();
      };
      return { name, url: upstream.url, close };
    }),
  );
}

function answerMoodily(
  upstream: RawUpstream,
  moods: readonly Mood[],
  random: Random,
  played: Played,
): void {
  upstream.otherwise = (socket, asked) => {
    // Kept for tests that look at it; an hour's requests would fill this process instead.
    upstream.asked.length = 0;
    const spell = moods.map((mood) => mood.spell()).find((fault) => fault !== null);
    const fault = spell ?? (random.chance(FAULTY) ? drawFault(random) : null);
    if (fault !== null) played.set(fault.name, (played.get(fault.name) ?? 0) + 1);
    const play = fault?.play ?? sound;
    // Model servers are not instant: overlapping requests are the point of a soak.
    later(socket, random.below(40), () => play(scene(socket, asked, random)));
  };
}

interface Mood {
  /** The fault of the bad spell that it is in; null in between. */
  spell(): Fault | null;
  stop(): void;
}

function startMood(random: Random, { spell, between }: Weather): Mood {
  let now: Fault | null = null;
  let timer: NodeJS.Timeout;
  const turn = (): void => {
    now = now === null ? drawFault(random, LASTING) : null;
    timer = setTimeout(turn, within(random, now === null ? between : spell));
  };
  timer = setTimeout(turn, within(random, between));
  return { spell: () => now, stop: () => clearTimeout(timer) };
}

function within(random: Random, { least, most }: Span): number {
  return least + random.below(most - least);
}
