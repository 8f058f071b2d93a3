import {
  addDelivered,
  type Delivered,
  NOTHING_DELIVERED,
  RESUME_FIELD,
  readDelivered,
} from "../core/stream/delivered.ts";
import { joined } from "../core/stream/halves.ts";
import { splice, startSplice } from "../core/stream/splice.ts";
import { formatSse } from "../wire/sse.ts";
import type { Fetch } from "./tools.ts";
import type { World } from "./world.ts";

/** One request that a fake gateway got. */
export interface Got {
  readonly base: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Headers;
  readonly text: string;
  readonly init: RequestInit;
}

export type Behaviour = (got: Got) => Response | Promise<Response>;

/** Gateways of two regions, and a stranger, behind one fetch. */
export const EU = "https://eu.ai.example";
export const US = "https://us.ai.example";

export interface FakeGateways {
  readonly fetch: Fetch;
  /** Everything that was asked, `/healthz` excepted. */
  readonly got: Got[];
  /** Who was asked whether it lives. */
  readonly health: string[];
  /** By base URL. A gateway without one refuses connections. */
  readonly behave: Map<string, Behaviour>;
  readonly alive: Set<string>;
}

export function fakeGateways(behave: Record<string, Behaviour>): FakeGateways {
  const fake: FakeGateways = {
    got: [],
    health: [],
    behave: new Map(Object.entries(behave)),
    alive: new Set([EU, US]),
    fetch: async (input, init = {}) => {
      const url = new URL(String(input));
      if (url.pathname === "/healthz") {
        fake.health.push(url.origin);
        return fake.alive.has(url.origin) ? new Response("{}") : never();
      }
      const headers = new Headers(init.headers);
      const text = init.body == null ? "" : await new Response(init.body).text();
      const path = url.pathname + url.search;
      const got: Got = {
        base: url.origin,
        path,
        method: init.method ?? "GET",
        headers,
        text,
        init,
      };
      fake.got.push(got);
      init.signal?.throwIfAborted();
      const behaviour = fake.behave.get(url.origin);
      if (behaviour === undefined) throw refused();
      return behaviour(got);
    },
  };
  return fake;
}

export function refused(): TypeError {
  return new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });
}

export function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** What a gateway that serves from a snapshot puts on every answer. */
export const SERVING = { "x-tideover-snapshot": "7" };

export function json(status: number, body: unknown, headers: Record<string, string> = {}) {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", ...SERVING, ...headers },
  });
}

/** How a body ends behind its bytes. */
export type End = "close" | "break" | "silence";

export function bodyOf(pieces: readonly Uint8Array[], end: End): ReadableStream<Uint8Array> {
  const left = [...pieces];
  return new ReadableStream({
    pull: (controller) => {
      const piece = left.shift();
      if (piece !== undefined) controller.enqueue(piece);
      else if (end === "close") controller.close();
      else if (end === "break") controller.error(new TypeError("terminated"));
      else return never();
      return undefined;
    },
  });
}

export function sse(pieces: readonly Uint8Array[], end: End): Response {
  const headers = { "content-type": "text/event-stream; charset=utf-8", ...SERVING };
  return new Response(bodyOf(pieces, end), { headers });
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Cuts into pieces at the places, which are taken modulo the length. */
export function chop(whole: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at]
    .map((from, i) => whole.subarray(from, at[i] ?? whole.length))
    .filter(({ length }) => length > 0);
}

/** What the request says that its caller has; null for a request from the beginning. */
export function resumeOf(got: Got): Delivered | null {
  const body = JSON.parse(got.text);
  return RESUME_FIELD in body ? readDelivered(body[RESUME_FIELD]) : null;
}

/**
 * The SSE text of an answer as a gateway tells it: from the beginning, or what follows the part
 * that the caller has. `events` are the data of the uncut answer under this gateway's own id.
 */
export function tellingOf(events: readonly string[], had: Delivered | null): string {
  let now = startSplice(had?.choices ?? []);
  const told: string[] = [];
  for (const data of events) {
    const step = splice(now, data);
    now = step.splice;
    told.push(...step.tell);
  }
  if (now.diverged !== null) throw new Error(`the fake's answer diverged: ${now.diverged}`);
  const delivered = addDelivered(NOTHING_DELIVERED, had ?? NOTHING_DELIVERED);
  return told
    .map((data) => joined({ delivered, sum: (usage) => usage }, data))
    .filter((data) => data !== null)
    .map((data) => formatSse(data))
    .join("");
}

/** Time that passes only when nobody does anything any more: then the next timer is due at once. */
export function idleWorld(): World & { elapsed(): number } {
  let now = 1_000;
  let ids = 0;
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  let turning = false;
  const turn = (idle: number): void => {
    // Streams and fetches of a test settle within a few turns of the loop; then all is idle.
    if (idle < 20) return void setImmediate(() => turn(idle + 1));
    turning = false;
    const [due] = timers.toSorted((a, b) => a.at - b.at);
    if (due === undefined) return;
    timers = timers.filter((timer) => timer !== due);
    now = Math.max(now, due.at);
    due.callback();
    start();
  };
  const start = (): void => {
    if (turning || timers.length === 0) return;
    turning = true;
    turn(0);
  };
  return {
    now: () => now,
    date: () => now,
    random: () => 0.5,
    uuid: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, "0")}`,
    after: (ms, callback) => {
      const timer = { at: now + ms, callback };
      timers.push(timer);
      start();
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    elapsed: () => now - 1_000,
  };
}
