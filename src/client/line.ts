import { HEADERS } from "../wire/headers.ts";
import type { Asked } from "./request.ts";
import type { Tools } from "./tools.ts";

/** An answer larger than this is no JSON of a model's; read whole, it would fill the memory. */
const MAX_WHOLE_BYTES = 64 * 1024 * 1024;

/** Reads behind `[DONE]`, where normally nothing is but the end of the body; and their time in ms. */
const READS_BEHIND_END = 4;
const BEHIND_END_MS = 100;

/** What is sent to one gateway: the request itself, or the question for the rest of its answer. */
export interface Sent {
  readonly body: Asked["body"];
  readonly headers: Readonly<Record<string, string>>;
}

/** An exchange with one gateway that has answered with a status. */
export interface Line {
  readonly base: string;
  /** When it was begun, monotonic ms. */
  readonly since: number;
  readonly response: Response;
  /** The next piece of the body; null at its end. Rejects when the gateway is gone. */
  read(): Promise<Uint8Array | null>;
  readWhole(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Lets an answer that is whole end by itself, so that its connection can be used again. Resolves
   * when it has, or has had time enough for it. Never rejects.
   */
  finish(): Promise<void>;
  hangUp(reason: unknown): void;
}

/**
 * Sends a request to one gateway and waits for its status. While anything is awaited of the
 * gateway, the caller's abort, the budget and the signs of life can each end the wait. Rejects with
 * the caller's reason, or with an Error that says what happened.
 */
export async function dial(tools: Tools, asked: Asked, base: string, sent: Sent): Promise<Line> {
  const since = tools.world.now();
  const cut = new AbortController();
  const abort = (): void => cut.abort(asked.signal.reason);
  asked.signal.addEventListener("abort", abort, { once: true });
  const unlink = (): void => asked.signal.removeEventListener("abort", abort);
  const wait = <T>(work: Promise<T>, mostMs: number | null): Promise<T> =>
    watched(tools, { base, cut, deadline: asked.deadline, mostMs }, work);
  try {
    const response = await wait(send(tools, asked, base, sent, cut.signal), tools.limits.headersMs);
    return lineOf({ base, since, response, cut, unlink, wait });
  } catch (error) {
    unlink();
    // A fetch that does not follow its signal would otherwise go on in the dark.
    cut.abort(error);
    throw error;
  }
}

function send(
  tools: Tools,
  asked: Asked,
  base: string,
  sent: Sent,
  signal: AbortSignal,
): Promise<Response> {
  const headers = new Headers(asked.headers);
  headers.set(HEADERS.requestId, asked.id);
  for (const [name, value] of Object.entries(sent.headers)) headers.set(name, value);
  const { method, init, rest } = asked;
  return tools.fetch(base + rest, { ...init, method, headers, body: sent.body, signal });
}

interface LineParts {
  readonly base: string;
  readonly since: number;
  readonly response: Response;
  readonly cut: AbortController;
  readonly unlink: () => void;
  readonly wait: <T>(work: Promise<T>, mostMs: number | null) => Promise<T>;
}

function lineOf({ base, since, response, cut, unlink, wait }: LineParts): Line {
  const reader = response.body?.getReader() ?? null;
  const read = async (mostMs: number | null = null): Promise<Uint8Array | null> => {
    if (reader === null) return null;
    const { done, value } = await wait(reader.read(), mostMs);
    if (done) unlink();
    return done ? null : value;
  };
  const hangUp = (reason: unknown): void => {
    unlink();
    cut.abort(reason);
    reader?.cancel(reason).catch(() => undefined);
  };
  const finish = async (): Promise<void> => {
    unlink();
    try {
      for (let count = 0; count < READS_BEHIND_END; count++) {
        if ((await read(BEHIND_END_MS)) === null) return;
      }
      hangUp(new Error("it goes on behind its end"));
    } catch {
      // The answer is whole and told; how its connection ends matters to nobody.
    }
  };
  return {
    base,
    since,
    response,
    read: () => read(),
    hangUp,
    finish,
    readWhole: () => readWhole(read),
  };
}

async function readWhole(read: Line["read"]): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (let piece = await read(); piece !== null; piece = await read()) {
    length += piece.length;
    if (length > MAX_WHOLE_BYTES) throw new Error("an answer larger than 64 MiB");
    pieces.push(piece);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

interface Watch {
  readonly base: string;
  readonly cut: AbortController;
  readonly deadline: number;
  /** Longest wait for this one thing; null has none of its own. */
  readonly mostMs: number | null;
}

/**
 * Waits for a gateway. A whole answer may rightly take minutes and a gateway may hold a request
 * while its regions change places, so no fixed time tells a slow gateway from a stopped one. After
 * an unusual silence the gateway is asked whether it lives, which costs it nothing; only when that
 * is not answered either is the wait over.
 */
async function watched<T>(tools: Tools, watch: Watch, work: Promise<T>): Promise<T> {
  const { world, limits, memory } = tools;
  const { base, cut } = watch;
  const startedAt = world.now();
  const until = Math.min(watch.deadline, startedAt + (watch.mostMs ?? Number.POSITIVE_INFINITY));
  const silenceMs = limits.silenceMs ?? memory.silenceMs(base);
  let settled = false;
  let cancel = (): void => undefined;
  const look = async (): Promise<void> => {
    const waitedMs = Math.round(world.now() - startedAt);
    if (world.now() >= until) cut.abort(new Error(`no answer in ${waitedMs} ms`));
    else if (!(await tools.lives(base)) && !settled) {
      cut.abort(new Error(`silent for ${waitedMs} ms, and it does not say that it lives`));
    } else if (!settled) lookLater();
  };
  const lookLater = (): void => {
    cancel = world.after(Math.max(0, Math.min(silenceMs, until - world.now())), () => void look());
  };
  lookLater();
  try {
    return await unlessAborted(work, cut.signal);
  } finally {
    settled = true;
    cancel();
  }
}

/** `Promise.race` with one long-lived promise would keep every piece of a stream until its end. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
