import type { Clock } from "../ports/clock.ts";
import type { Random } from "./random.ts";
import type { SimRegion } from "./region.ts";

/** How a call ended: null when it came through, else the reason in an operator's words. */
export type Passage = string | null;

const HOP_MS = 1;

/** Who reaches whom, how fast, and how surely. */
export class SimNetwork {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #cuts = new Set<string>();
  readonly #loss = new Map<string, number>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Nothing from `from` arrives at `to` any more; the other way is another cut. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  mend(from: string, to: string): void {
    this.#cuts.delete(`${from}>${to}`);
    this.#loss.delete(`${from}>${to}`);
  }

  /** Loses this share of the calls, from 0 to 1. */
  lose(from: string, to: string, share: number): void {
    this.#loss.set(`${from}>${to}`, share);
  }

  /** Resolves when the call has arrived or has failed, at the latest after `timeoutMs`. */
  async reach(from: string, region: SimRegion, timeoutMs: number): Promise<Passage> {
    const way = `${from}>${region.name}`;
    const lost = this.#random.chance(this.#loss.get(way) ?? 0);
    if (this.#cuts.has(way) || lost) return this.#silence(timeoutMs);
    if (region.state === "stopped" && !(await this.#outlasts(region, timeoutMs))) {
      return `no answer in ${timeoutMs} ms`;
    }
    await this.#clock.sleep(HOP_MS);
    return region.state === "up" ? null : "connection refused";
  }

  async #silence(timeoutMs: number): Promise<Passage> {
    await this.#clock.sleep(timeoutMs);
    return `no answer in ${timeoutMs} ms`;
  }

  /** A call to a stopped region is answered late, if the region goes on in time. */
  #outlasts(region: SimRegion, timeoutMs: number): Promise<boolean> {
    const over = new AbortController();
    const answered = region.untilResumed().then(() => true);
    const late = this.#clock.sleep(timeoutMs, over.signal).then(() => false);
    return Promise.race([answered, late]).finally(() => over.abort());
  }
}
