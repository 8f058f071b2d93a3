import type { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import { messageOf } from "../../lib/errors.ts";
import { type Fault, faultOf } from "../../lib/fault.ts";
import type { AuditRecord } from "../../model/audit.ts";
import type { SignedSnapshot } from "../../model/snapshot.ts";
import type { AuditLog } from "../../ports/audit.ts";
import type { Clock } from "../../ports/clock.ts";
import { type Address, requireFree } from "../listen.ts";
import type { Gateway } from "../server.ts";
import { releaseAll, sharedMemory } from "../shared/memory.ts";
import type { Held, Offer, SnapshotHolder } from "../snapshots.ts";
import type { MetricJson, Part, Seat, Whole } from "../together.ts";
import { within } from "../within.ts";
import type { Answers } from "./line.ts";
import { Member } from "./member.ts";
import { aggregated, CrewMetrics, lasting } from "./metrics.ts";
import type { ToMain, WorkerStart } from "./questions.ts";

/** All times in milliseconds. */
export interface CrewTimes {
  /** For a worker to answer what the main thread asks it. */
  readonly askMs: number;
  /** Before a worker that died is started anew; each further time in a row twice as long. */
  readonly againMs: number;
  readonly longestAgainMs: number;
  /** One that lived so long has not died in a row. */
  readonly soundMs: number;
  /** Between two signs of life that each worker is asked for; it may miss five. */
  readonly pulseMs: number;
  /** For a worker to drain; above the gateway's own bound. */
  readonly closeMs: number;
}

const MOST_MISSED = 5;

const TIMES: CrewTimes = {
  askMs: 500,
  againMs: 100,
  longestAgainMs: 10_000,
  soundMs: 30_000,
  pulseMs: 2_000,
  closeMs: 15_000,
};

export interface CrewOptions extends Address {
  readonly workers: number;
  readonly snapshots: SnapshotHolder;
  readonly audit: AuditLog;
  /** The machine's, as the workers have it: shared memory holds its times. */
  readonly clock: Clock;
  readonly logger: Logger;
  /** Starts a thread that calls `runWorker`. */
  readonly spawn: (start: WorkerStart) => Worker;
  readonly times?: Partial<CrewTimes>;
}

/**
 * Starts a gateway of several worker threads. This thread serves nobody: it is the one writer of
 * the audit log and of the snapshot, knows the whole, and starts anew what dies. Throws what
 * `startGateway` throws, and then has stopped whatever it had started.
 */
export async function startCrew(options: CrewOptions): Promise<Gateway> {
  const refused = await options.snapshots.load();
  if (refused !== null)
    options.logger.error({ code: refused.code, next: refused.next }, refused.message);
  if (options.port !== 0) await requireFree(options);
  const crew = new Crew(options);
  try {
    const url = await crew.start();
    return { url, close: () => crew.close() };
  } catch (error) {
    await crew.kill();
    throw error;
  }
}

interface Place {
  /** From 1. */
  readonly seat: number;
  member: Member;
  restarts: number;
  deathsInARow: number;
}

class Crew {
  readonly #options: CrewOptions;
  readonly #times: CrewTimes;
  readonly #shared = sharedMemory();
  readonly #metrics: CrewMetrics;
  readonly #closing = new AbortController();
  #places: readonly Place[] = [];
  #threads = 0;
  #port: number;
  /** Counts of workers that are gone. */
  #departed: Promise<readonly MetricJson[]> = Promise.resolve([]);

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
    this.#port = options.port;
    this.#metrics = new CrewMetrics(() => this.#places.map(seatOf));
  }

  /** Gives the address. The first alone: it finds the port that the others share with it. */
  async start(): Promise<string> {
    const first = this.#place(1);
    const url = await first.member.started;
    this.#port = Number(new URL(url).port);
    const seats = Array.from({ length: this.#options.workers - 1 }, (_, at) => at + 2);
    const others = seats.map((seat) => this.#place(seat));
    await Promise.all(others.map(({ member }) => member.started));
    for (const place of this.#places) void this.#keep(place);
    void this.#watch();
    return url;
  }

  /** Every worker drains; one that does not end by then is ended. */
  async close(): Promise<void> {
    this.#closing.abort("the gateway closes");
    await Promise.all(this.#members().map((member) => this.#end(member)));
  }

  async kill(): Promise<void> {
    this.#closing.abort("the gateway could not start");
    await Promise.all(this.#members().map((member) => member.kill()));
  }

  #members(): readonly Member[] {
    return this.#places.map(({ member }) => member);
  }

  #place(seat: number): Place {
    const place = { seat, member: this.#spawn(seat), restarts: 0, deathsInARow: 0 };
    this.#places = [...this.#places, place];
    return place;
  }

  #spawn(seat: number): Member {
    const { clock, host, snapshots, spawn } = this.#options;
    const number = ++this.#threads;
    const { held } = snapshots;
    const start = { number, seat, host, port: this.#port, shared: this.#shared, held };
    const born = { number, startedAt: clock.monotonic(), snapshot: snapshots.number };
    return new Member(spawn(start), born, this.#answers());
  }

  #answers(): Omit<Answers<ToMain>, "started"> {
    return {
      append: (records) => this.#append(records),
      find: (requestId) => this.#options.audit.find(requestId),
      offer: (signed) => this.#offer(signed),
      look: () => this.#look(),
      metricsPage: () => this.#metricsPage(),
    };
  }

  /** Starts a worker's successor whenever it ends, until the gateway closes. */
  async #keep(place: Place): Promise<void> {
    for (;;) {
      const because = await place.member.ended;
      this.#mourn(place.member);
      const lived = this.#options.clock.monotonic() - place.member.startedAt;
      if (lived > this.#times.soundMs) place.deathsInARow = 0;
      do {
        await this.#pause(place, because);
        if (this.#closing.signal.aborted) return;
      } while (!this.#succeed(place));
    }
  }

  /** Longer each time: one that dies at its start would otherwise do nothing else. */
  async #pause(place: Place, because: string): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const { clock, logger } = this.#options;
    const { againMs: first, longestAgainMs } = this.#times;
    const againMs = Math.min(longestAgainMs, first * 2 ** Math.min(place.deathsInARow, 30));
    place.deathsInARow += 1;
    logger.error({ worker: place.seat, because, againMs }, "a worker died; it is started anew");
    await clock.sleep(againMs, this.#closing.signal);
  }

  /** False when no thread is to be had now: that must not end those that there are. */
  #succeed(place: Place): boolean {
    const { logger } = this.#options;
    const failed = (error: unknown): void =>
      logger.error({ worker: place.seat, because: messageOf(error) }, "a worker cannot start");
    try {
      const member = this.#spawn(place.seat);
      place.member = member;
      member.started.then(
        () => logger.info({ worker: place.seat }, "a worker is up again"),
        (error) => {
          failed(error);
          void member.kill();
        },
      );
    } catch (error) {
      failed(error);
      return false;
    }
    place.restarts += 1;
    this.#metrics.restarts.inc();
    return true;
  }

  /**
   * A worker that hangs still gets its share of the connections, and nobody else can take it from
   * it: it is ended. Missed pulses count, not time: after this whole process was stopped for a
   * while, all of them answer at once.
   */
  async #watch(): Promise<void> {
    const { clock, logger } = this.#options;
    for (;;) {
      await clock.sleep(this.#times.pulseMs, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      for (const { seat, member } of this.#places.filter(({ member }) => member.isUp)) {
        if (member.pulse() <= MOST_MISSED) continue;
        logger.error({ worker: seat }, "a worker does not answer; it is ended");
        void member.kill();
      }
    }
  }

  /** What it held is free, and what it had counted is not forgotten. */
  #mourn(member: Member): void {
    releaseAll(this.#shared, member.number);
    this.#departed = this.#departed.then((before) =>
      aggregated([before, lasting(member.metrics)]).getMetricsAsJSON(),
    );
  }

  async #end(member: Member): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      if (member.isUp) await within(clock, this.#times.closeMs, member.line.ask("close", null));
    } catch (error) {
      logger.error({ because: messageOf(error) }, "a worker did not drain");
    }
    await member.kill();
  }

  #append(records: readonly AuditRecord[]): Promise<(Fault | null)[]> {
    const { audit } = this.#options;
    const kept = records.map((record) => audit.append(record).then(() => null, faultOf));
    return Promise.all(kept);
  }

  /** Says that it is adopted when the workers have; what one of them has not, it does not claim. */
  async #offer(signed: SignedSnapshot): Promise<Offer> {
    const { snapshots } = this.#options;
    // Several workers learn of one snapshot at once: that is no fault to remember.
    if (signed.signature === snapshots.signed()?.signature) {
      return { adopted: false, number: this.#lowest(), reason: "it is the present one" };
    }
    const offer = await snapshots.offer(signed);
    const { held } = snapshots;
    // A refused offer may be anybody's: it must not make us copy a whole snapshot for each worker.
    await this.#tell(offer.adopted ? held : { ...held, snapshot: null, signed: null });
    return { ...offer, number: this.#lowest() };
  }

  /** Waits for those that serve; one that only starts hears it before it does. */
  async #tell(held: Held): Promise<void> {
    const told = this.#members().map(async (member) => {
      const followed = member.line.ask("follow", held);
      if (!member.isUp) return void followed.catch(() => undefined);
      const number = await this.#asked(member, followed);
      if (number !== null) member.snapshot = number;
    });
    await Promise.all(told);
  }

  #lowest(): number {
    const up = this.#members().filter(({ isUp }) => isUp);
    return Math.min(this.#options.snapshots.number, ...up.map(({ snapshot }) => snapshot));
  }

  async #look(): Promise<Whole> {
    const up = this.#places.filter(({ member }) => member.isUp);
    const parts = await Promise.all(up.map(({ member }) => this.#part(member)));
    return { parts: parts.filter((part) => part !== null), seats: this.#places.map(seatOf) };
  }

  async #part(member: Member): Promise<Part | null> {
    const part = await this.#asked(member, member.line.ask("part", null));
    if (part !== null) member.snapshot = part.number;
    return part;
  }

  async #metricsPage(): Promise<string> {
    const up = this.#members().filter(({ isUp }) => isUp);
    const told = await Promise.all(up.map((member) => this.#metricsOf(member)));
    const own = await this.#metrics.registry.getMetricsAsJSON();
    return aggregated([...told, await this.#departed, own]).metrics();
  }

  /** Of one that does not answer, what it said last: a count never goes back. */
  async #metricsOf(member: Member): Promise<readonly MetricJson[]> {
    const metrics = await this.#asked(member, member.line.ask("metrics", null));
    if (metrics === null) return lasting(member.metrics);
    member.metrics = metrics;
    return metrics;
  }

  /** Null when it dies meanwhile, or does not answer in time. */
  async #asked<T>(member: Member, told: Promise<T>): Promise<T | null> {
    try {
      const answer = await within(this.#options.clock, this.#times.askMs, told);
      member.isSilent = false;
      return answer;
    } catch {
      member.isSilent = true;
      return null;
    }
  }
}

function seatOf({ seat, member, restarts }: Place): Seat {
  const up = member.isSilent ? "silent" : "up";
  return {
    worker: seat,
    state: member.isUp ? up : "starting",
    snapshot: member.snapshot,
    restarts,
  };
}
