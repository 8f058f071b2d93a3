import type { Memory } from "./memory.ts";
import type { World } from "./world.ts";

export type Fetch = typeof fetch;

/** What one `createFetch` made, shared by its requests. */
export interface Tools {
  /** Base URLs, in the caller's order. */
  readonly bases: readonly string[];
  readonly fetch: Fetch;
  readonly world: World;
  readonly memory: Memory;
  /** Asks a silent gateway whether it lives. Never rejects. */
  readonly lives: (base: string) => Promise<boolean>;
  readonly limits: Limits;
  readonly tell: (event: ClientEvent) => void;
}

export interface Limits {
  /** For a whole logical request, its stream included. */
  readonly budgetMs: number;
  /** To the first byte of an answer; null leaves it to the signs of life. */
  readonly headersMs: number | null;
  /** Of unusual silence; null adapts to each gateway. */
  readonly silenceMs: number | null;
}

/** What the client did besides passing on, in the order in which it did it. */
export type ClientEvent =
  /** A gateway gave no answer to this request. */
  | {
      readonly kind: "failed";
      readonly requestId: string;
      readonly gateway: string;
      readonly because: string;
      readonly tookMs: number;
    }
  /** An answer was cut; the next gateway is asked for its rest. */
  | {
      readonly kind: "cut";
      readonly requestId: string;
      readonly gateway: string;
      readonly because: string;
    }
  /** The rest of a cut answer comes from here. */
  | { readonly kind: "resumed"; readonly requestId: string; readonly gateway: string };
