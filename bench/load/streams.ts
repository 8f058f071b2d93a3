import { percentile } from "../support/figures.ts";
import { Connection, requestText } from "./connection.ts";
import type { Aim, HoldResult, Job, StreamsResult } from "./jobs.ts";

/** The upstream's clock in each event, see upstream.ts. */
const STAMP = /"content": ?"(\d{15})"/g;

/** Most kept measurements a run: enough for a p99, little enough for the memory. */
const MOST_KEPT = 500_000;

function streamed({ path, headers, model }: Aim, events: number, gapMs: number): string {
  const messages = [{ role: "user", content: "Tell me about the returns, please." }];
  const user = `e${events}g${gapMs}`;
  const body = JSON.stringify({ model, messages, stream: true, user });
  return requestText(path, headers, body);
}

/** ms of CLOCK_MONOTONIC, which the upstream's stamps are of. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** Reads stamps out of a stream however its bytes are cut. */
class Stamps {
  #rest = "";

  read(text: string): number[] {
    const all = this.#rest + text;
    const found = [...all.matchAll(STAMP)];
    const last = found.at(-1);
    // Behind the last stamp only what one event may still need is kept.
    this.#rest = (last === undefined ? all : all.slice(last.index + last[0].length)).slice(-64);
    return found.map(([, digits]) => Number(digits) / 1_000);
  }
}

interface Seen {
  readonly firsts: number[];
  readonly delays: number[];
  readonly stretches: number[];
  failed: number;
}

export async function streamsInTurn(job: Job & { kind: "streams" }): Promise<StreamsResult> {
  const seen: Seen = { firsts: [], delays: [], stretches: [], failed: 0 };
  const request = streamed(job.aim, job.events, job.gapMs);
  await Promise.all(
    Array.from({ length: job.atOnce }, async (_, at) => {
      // Begun together they would all be written in the same tick of the upstream's timer.
      await new Promise((resolve) => setTimeout(resolve, (at * job.gapMs) / job.atOnce));
      const connection = await Connection.open(job.aim.port);
      for (let count = 0; count < job.each; count++) await oneStream(connection, request, seen);
      connection.close();
    }),
  );
  return {
    streams: seen.firsts.length,
    failed: seen.failed,
    first50: percentile(seen.firsts, 0.5),
    first99: percentile(seen.firsts, 0.99),
    delay50: percentile(seen.delays, 0.5),
    delay99: percentile(seen.delays, 0.99),
    stretch99: percentile(seen.stretches, 0.99),
  };
}

function oneStream(connection: Connection, request: string, seen: Seen): Promise<void> {
  const stamps = new Stamps();
  const sentAt = monotonicMs();
  let before: { readonly stamp: number; readonly at: number } | null = null;
  const take = (stamp: number): void => {
    const at = monotonicMs();
    if (before === null) seen.firsts.push(at - sentAt);
    else seen.stretches.push(at - before.at - (stamp - before.stamp));
    seen.delays.push(at - stamp);
    before = { stamp, at };
  };
  return new Promise((resolve) => {
    connection.send(request, {
      body: (text) => stamps.read(text).forEach(take),
      end: (status) => {
        if (status !== 200 || before === null) seen.failed += 1;
        resolve();
      },
      failed: () => {
        seen.failed += 1;
        resolve();
      },
    });
  });
}

/** Opens many streams, says so, and counts what comes on all of them for a while. */
export async function holdStreams(
  job: Job & { kind: "hold" },
  opened: () => void,
): Promise<HoldResult> {
  // Long enough that none ends before the measurement does, whatever the opening takes.
  const events = Math.ceil((job.forMs + 60_000) / job.gapMs);
  const request = streamed(job.aim, events, job.gapMs);
  const delays: number[] = [];
  const count = { events: 0, failed: 0, open: 0 };
  const connections: Connection[] = [];
  for (let from = 0; from < job.count; from += 50) {
    const size = Math.min(50, job.count - from);
    const batch = Array.from({ length: size }, () => begin(job.aim.port, request, count, delays));
    connections.push(...(await Promise.all(batch)).filter((one) => one !== null));
    // Spread over the gap: streams of real models do not speak in chorus.
    await new Promise((resolve) => setTimeout(resolve, 7));
  }
  await allBegun(count, job.count);
  opened();
  const began = performance.now();
  count.events = 0;
  delays.length = 0;
  await new Promise((resolve) => setTimeout(resolve, job.forMs));
  const seconds = (performance.now() - began) / 1_000;
  const eventsPerSecond = count.events / seconds;
  for (const connection of connections) connection.close();
  return {
    open: count.open,
    failed: count.failed,
    eventsPerSecond,
    delay50: percentile(delays, 0.5),
    delay99: percentile(delays, 0.99),
  };
}

/** Until each has had its first event, or clearly will not have one. */
async function allBegun(
  count: { readonly open: number; readonly failed: number },
  wanted: number,
): Promise<void> {
  const end = performance.now() + 15_000;
  while (count.open + count.failed < wanted && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // What the opening itself cost is no part of what open streams cost.
  await new Promise((resolve) => setTimeout(resolve, 500));
}

async function begin(
  port: number,
  request: string,
  count: { events: number; failed: number; open: number },
  delays: number[],
): Promise<Connection | null> {
  const connection = await Connection.open(port).catch(() => null);
  if (connection === null) {
    count.failed += 1;
    return null;
  }
  const stamps = new Stamps();
  let begun = false;
  const fail = (): void => {
    count.failed += 1;
  };
  connection.send(request, {
    body: (text) => {
      for (const stamp of stamps.read(text)) {
        count.events += 1;
        if (!begun) count.open += 1;
        begun = true;
        if (delays.length < MOST_KEPT) delays.push(monotonicMs() - stamp);
      }
    },
    end: fail,
    failed: fail,
  });
  return connection;
}
