/**
 * What tells those who work for a request that it is over. It has the part of `AbortSignal` that
 * they use, so that either can stand for the other, and none of what makes that one dear: an
 * `AbortSignal.any` costs more than to read a request and answer it.
 */
export interface StopSignal {
  readonly aborted: boolean;
  /** Why; undefined until then. */
  readonly reason: unknown;
  addEventListener(
    type: "abort",
    listener: () => void,
    options?: { readonly once?: boolean },
  ): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Gives the word. Listeners are called once, in the order in which they came, at once. */
export class Stop implements StopSignal {
  #aborted = false;
  #reason: unknown = undefined;
  /** Null while nobody listens. A few at most: a list is cheaper than a set by far. */
  #listeners: (() => void)[] | null = null;

  /** One that also stops when any of these does. It is kept by them as long as they live. */
  static with(...others: readonly StopSignal[]): Stop {
    const stop = new Stop();
    for (const other of others) {
      if (other.aborted) stop.abort(other.reason);
      else other.addEventListener("abort", () => stop.abort(other.reason));
    }
    return stop;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** The first one counts. `reason` is an Error that says why, for whoever tells it to people. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = null;
    if (listeners !== null) for (const listener of listeners) listener();
  }

  /** Too late, it is not called: whoever must know asks `aborted` first, as with any signal. */
  addEventListener(_type: "abort", listener: () => void): void {
    if (this.#aborted) return;
    if (this.#listeners === null) this.#listeners = [listener];
    else if (!this.#listeners.includes(listener)) this.#listeners.push(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    const at = this.#listeners?.indexOf(listener) ?? -1;
    if (at !== -1) this.#listeners?.splice(at, 1);
  }
}
