import type { Acceptance } from "../../core/reconcile/acceptance.ts";
import type { Clock } from "../../ports/clock.ts";

/** The acceptance of one embedding version, which may take longer than anybody asks at once. */
export class Accepting {
  #now: { readonly version: string; readonly result: Promise<Acceptance> } | null = null;

  /**
   * Begins it, or joins the one under way, and gives its result if that comes in time; null: it goes
   * on, and is told to whoever asks again. A result is told once: the next question looks anew.
   */
  async of(
    version: string,
    look: () => Promise<Acceptance>,
    { clock, waitMs }: { readonly clock: Clock; readonly waitMs: number },
  ): Promise<Acceptance | null> {
    if (this.#now?.version !== version) this.#now = { version, result: look() };
    const { result } = this.#now;
    const over = new AbortController();
    const patience = clock.sleep(waitMs, over.signal).then(
      () => null,
      () => null,
    );
    try {
      const told = await Promise.race([result, patience]);
      if (told !== null) this.#forget(result);
      return told;
    } catch (error) {
      this.#forget(result);
      throw error;
    } finally {
      over.abort();
    }
  }

  #forget(result: Promise<Acceptance>): void {
    if (this.#now?.result === result) this.#now = null;
  }
}
