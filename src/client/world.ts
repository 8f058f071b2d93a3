/** What this room needs besides fetch, as one value, so that a test holds the clock and the dice. */
export interface World {
  /** Monotonic, in ms. */
  readonly now: () => number;
  /** From 0 up to, but not, 1. */
  /** Of the wall clock, in ms since 1970: only to read a date that a gateway sent. */
  readonly date: () => number;
  readonly random: () => number;
  readonly uuid: () => string;
  /** Calls back once after `ms`; the returned function takes it back. */
  readonly after: (ms: number, callback: () => void) => () => void;
}

/** The real one: nothing but what browsers, workers and servers all have. */
export function realWorld(): World {
  return {
    now: () => performance.now(),
    date: () => Date.now(),
    random: () => Math.random(),
    uuid,
    after: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  };
}

/** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
export function pause(world: World, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = world.after(ms, () => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** Browsers have `randomUUID` only on https pages, `getRandomValues` everywhere. */
function uuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`];
  return [...parts, `${variant}${hex.slice(17, 20)}`, hex.slice(20)].join("-");
}
