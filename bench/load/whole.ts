import { percentile } from "../support/figures.ts";
import { Connection, requestText } from "./connection.ts";
import type { Aim, ClosedResult, Job, OpenResult } from "./jobs.ts";

/** A question of ordinary length, so that reading and judging it costs what it costs in life. */
const QUESTION =
  "A customer writes that the pallet arrived on Tuesday with two of its boxes pressed in, and asks how long she may wait before she sends the goods back, who pays for the transport, and whether the boxes must be unopened. What do we tell her, and what do we need of her?";

/** No run sends more than this, whatever its other bounds say. */
const MOST_REQUESTS = 5_000_000;
/** More connections than this open-loop load never opens: beyond, the other side has lost. */
const MOST_CONNECTIONS = 512;

export function whole({ path, headers, model }: Aim): string {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: QUESTION }], seed: 7 });
  return requestText(path, headers, body);
}

export async function closedLoop(job: Job & { kind: "closed" }): Promise<ClosedResult> {
  const request = whole(job.aim);
  const took: number[] = [];
  let failed = 0;
  let firstFailure: string | null = null;
  const began = performance.now();
  const until = began + job.forMs;
  const fail = (because: string): void => {
    failed += 1;
    firstFailure ??= because;
  };
  await Promise.all(
    Array.from({ length: job.connections }, () =>
      askInTurn(job.aim.port, request, until, (ms) => took.push(ms), fail),
    ),
  );
  const ms = performance.now() - began;
  return {
    requests: took.length,
    failed,
    perSecond: (took.length * 1_000) / ms,
    p50: percentile(took, 0.5),
    p99: percentile(took, 0.99),
    firstFailure,
  };
}

/** One connection that asks again as soon as it has its answer. */
async function askInTurn(
  port: number,
  request: string,
  until: number,
  took: (ms: number) => void,
  fail: (because: string) => void,
): Promise<void> {
  const connection = await Connection.open(port);
  await new Promise<void>((resolve) => {
    let count = 0;
    const next = (): void => {
      const sentAt = performance.now();
      if (sentAt >= until || count++ > MOST_REQUESTS) {
        resolve();
        return;
      }
      connection.send(request, {
        body: () => undefined,
        end: (status) => {
          if (status === 200) took(performance.now() - sentAt);
          else fail(`status ${status}`);
          next();
        },
        failed: (because) => {
          fail(because);
          resolve();
        },
      });
    };
    next();
  });
  connection.close();
}

/**
 * Requests at fixed times. Each is counted from the moment at which it was due: a stalled gateway
 * delays all that are due meanwhile, and counting from the sending would hide exactly those
 * ("coordinated omission").
 */
export async function openLoop(job: Job & { kind: "open" }): Promise<OpenResult> {
  const request = whole(job.aim);
  const crew = new Crew(job.aim.port);
  await crew.grow(64);
  const took: number[] = [];
  let failed = 0;
  const wanted = Math.min(MOST_REQUESTS, Math.floor((job.perSecond * job.forMs) / 1_000));
  const began = performance.now() + 5;
  let sent = 0;
  let over = 0;
  while (over < wanted && performance.now() < began + job.forMs + 3_000) {
    const now = performance.now();
    while (sent < wanted) {
      const dueAt = began + (sent * 1_000) / job.perSecond;
      if (dueAt > now) break;
      sent += 1;
      crew.ask(request, (status) => {
        over += 1;
        if (status === 200) took.push(performance.now() - dueAt);
        else failed += 1;
      });
    }
    await aMoment();
  }
  crew.close();
  // What never came back counts as failed: leaving it out would reward whoever drops requests.
  const lost = wanted - over;
  return {
    sent,
    failed: failed + lost,
    kept: took.length / wanted,
    p50: percentile(took, 0.5),
    p99: percentile(took, 0.99),
  };
}

const NEVER = new Int32Array(new SharedArrayBuffer(4));

/**
 * One turn of the loop, then a sleep of some 100 µs. Timers wake at whole milliseconds only, far too
 * coarse for 5,000 requests a second, and turning without sleep would take the upstream's core.
 */
function aMoment(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => {
      Atomics.wait(NEVER, 0, 0, 0.05);
      resolve();
    });
  });
}

/** Connections of which any free one takes the next request. */
class Crew {
  readonly #port: number;
  readonly #free: Connection[] = [];
  readonly #queue: (readonly [request: string, done: (status: number) => void])[] = [];
  #size = 0;

  constructor(port: number) {
    this.#port = port;
  }

  async grow(count: number): Promise<void> {
    this.#size += count;
    const opened = await Promise.all(
      Array.from({ length: count }, () => Connection.open(this.#port).catch(() => null)),
    );
    for (const connection of opened) {
      if (connection === null) this.#size -= 1;
      else this.#release(connection);
    }
  }

  ask(request: string, done: (status: number) => void): void {
    const connection = this.#free.pop();
    if (connection !== undefined) {
      this.#send(connection, request, done);
      return;
    }
    this.#queue.push([request, done]);
    if (this.#size < MOST_CONNECTIONS) void this.grow(1);
  }

  close(): void {
    for (const connection of this.#free) connection.close();
    this.#queue.length = 0;
  }

  #send(connection: Connection, request: string, done: (status: number) => void): void {
    connection.send(request, {
      body: () => undefined,
      end: (status) => {
        done(status);
        this.#release(connection);
      },
      failed: () => {
        done(0);
        this.#size -= 1;
        if (this.#size < MOST_CONNECTIONS) void this.grow(1);
      },
    });
  }

  #release(connection: Connection): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#free.push(connection);
    else this.#send(connection, ...next);
  }
}
