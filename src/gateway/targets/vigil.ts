import type { Clock } from "../../ports/clock.ts";
import {
  DOUBT_LEAST_MS,
  doubtMs,
  nextProbeMs,
  type ProbeEnd,
  probeBoundMs,
  proves,
} from "./doubt.ts";
import type { Claim, Entry, FirstMeasure, Measure } from "./entry.ts";

/** Between two looks at those who wait, in ms. */
const LOOK_MS = 100;
/** A look that comes so much too late says that we slept, not that nobody spoke. */
const SLEPT_MS = 2 * LOOK_MS;
/** One that is shown to be silent is asked last for so long; its failures decide what follows. */
const ASKED_LAST_MS = 1_000;

/** Asks for a sign of life that costs nothing. */
export type Probe = (boundMs: number) => Promise<ProbeEnd>;

/** One request that is to wait for a target. */
export interface Watched {
  readonly claim: Claim;
  readonly measure: FirstMeasure;
  /** Null: there is nothing that it could be asked. */
  readonly probe: Probe | null;
  /** Whether somebody else can be asked. */
  readonly others: boolean;
}

/** What an exchange tells of itself meanwhile. */
export interface Attendance {
  /** It is sent, or waits to be. `cut` breaks it off. */
  sent(cut: (because: Error) => void): void;
  /** Anything of the answer came. */
  heard(): void;
  /** Nothing more is waited for. May be told twice. */
  over(): void;
}

/** The wait of one request. */
export class Wait implements Attendance {
  readonly watched: Watched;
  readonly #clock: Clock;
  readonly #post: Post;
  readonly #begin: (post: Post, wait: Wait) => void;
  /** Null before it is sent. */
  cut: ((because: Error) => void) | null = null;
  sentAt = 0;
  /** Anything came, and when it last did. */
  isHeard = false;
  heardAt = 0;
  /** It was counted as late. */
  isLate = false;
  /** It is doubted when it has been silent for so long; null: by what is usual. */
  doubtMs: number | null = null;

  constructor(clock: Clock, watched: Watched, post: Post, begin: (post: Post, wait: Wait) => void) {
    this.#clock = clock;
    this.watched = watched;
    this.#post = post;
    this.#begin = begin;
  }

  get lastAt(): number {
    return this.isHeard ? this.heardAt : this.sentAt;
  }

  sent(cut: (because: Error) => void): void {
    this.cut = cut;
    this.sentAt = this.#clock.monotonic();
    this.#begin(this.#post, this);
  }

  heard(): void {
    // What is usual before the first word says nothing of the pauses between the next ones.
    if (!this.isHeard) this.doubtMs = null;
    this.isHeard = true;
    this.heardAt = this.#clock.monotonic();
    this.#post.entry.heardAt = this.heardAt;
  }

  over(): void {
    this.#post.waits.delete(this);
  }
}

/** What is remembered of the targets. */
interface Known {
  entry(name: string): Entry;
  change<T>(name: string, work: (entry: Entry) => T): T;
  p95Ms(name: string, measure: Measure): number | null;
  lateFromMs(name: string, measure: FirstMeasure): number | null;
  late(name: string, measure: FirstMeasure, waitedMs: number): void;
  busy(name: string, forMs: number): void;
}

interface Post {
  readonly name: string;
  readonly entry: Entry;
  readonly waits: Set<Wait>;
  lookedAt: number;
  isLooking: boolean;
  /** We slept before the newest look. */
  isUnread: boolean;
  isProbing: boolean;
  /** Probes in a row that proved nothing. */
  vain: number;
  /** A probe that began then got no answer; null: none, or it was heard since. */
  unansweredSince: number | null;
}

/**
 * Watches over the requests that wait for each target. Who is late counts as slow before it has
 * answered. A target that is silent on all its connections, for longer than is usual for any of
 * them, is probed; when that shows that nobody is there, those who wait move on at once. Nothing
 * else follows from a probe: what ejects a target is that requests failed.
 */
export class Vigil {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #known: Known;
  readonly #posts = new Map<string, Post>();
  readonly #begin = (post: Post, wait: Wait): void => {
    post.waits.add(wait);
    this.#keepLooking(post);
  };

  constructor(clock: Clock, random: () => number, known: Known) {
    this.#clock = clock;
    this.#random = random;
    this.#known = known;
  }

  /** For one request that is about to be sent. */
  over(watched: Watched): Wait {
    return new Wait(this.#clock, watched, this.#post(watched.claim.name), this.#begin);
  }

  #post(name: string): Post {
    const known = this.#posts.get(name);
    if (known !== undefined) return known;
    const entry = this.#known.entry(name);
    const state = { lookedAt: 0, isLooking: false, isUnread: false, isProbing: false, vain: 0 };
    const post = { name, entry, waits: new Set<Wait>(), ...state, unansweredSince: null };
    this.#posts.set(name, post);
    return post;
  }

  #keepLooking(post: Post): void {
    if (post.isLooking) return;
    post.isLooking = true;
    post.lookedAt = this.#clock.monotonic();
    this.#clock.after(LOOK_MS, () => this.#look(post));
  }

  #look(post: Post): void {
    const now = this.#clock.monotonic();
    const slept = now - post.lookedAt > LOOK_MS + SLEPT_MS;
    post.lookedAt = now;
    post.isLooking = false;
    if (post.waits.size === 0) return;
    this.#keepLooking(post);
    // What came meanwhile is not read yet, and our own sleep must not be theirs. By the next look
    // it is, also when that one is late again, as each is on a machine that is full.
    post.isUnread = slept && !post.isUnread;
    if (!post.isUnread) this.#judge(post, now);
  }

  #judge(post: Post, now: number): void {
    const { entry, waits } = post;
    for (const wait of waits) this.#noteLate(wait, now);
    this.#prove(post, now);
    this.#moveOn(post);
    const doubted = this.#isDoubted(post, now);
    // The first one shows what an answer to a probe takes while there is work.
    if (doubted || entry.probeMs === 0) this.#probe(post, now, doubted);
  }

  #noteLate(wait: Wait, now: number): void {
    const { claim, measure } = wait.watched;
    if (wait.isLate || wait.isHeard) return;
    const from = this.#known.lateFromMs(claim.name, measure);
    if (from === null || now - wait.sentAt <= from) return;
    wait.isLate = true;
    this.#known.late(claim.name, measure, now - wait.sentAt);
  }

  /** A look later than the probe's end: what had come by then is read by now. */
  #prove(post: Post, now: number): void {
    const { entry, unansweredSince } = post;
    post.unansweredSince = null;
    if (unansweredSince === null || entry.heardAt >= unansweredSince) return;
    entry.silentAt = now;
    this.#known.busy(post.name, ASKED_LAST_MS);
  }

  /** Those that began to wait before it was shown that nobody is there, and nothing came since. */
  #moveOn({ entry, waits }: Post): void {
    const { silentAt, heardAt } = entry;
    if (silentAt === 0 || heardAt >= silentAt) return;
    for (const wait of waits) {
      if (!wait.watched.others || wait.sentAt >= silentAt) continue;
      const quietMs = Math.round(silentAt - wait.lastAt);
      wait.cut?.(new Error(`silent for ${quietMs} ms, and a probe of it got no answer`));
    }
  }

  #isDoubted({ entry, waits }: Post, now: number): boolean {
    if (now - entry.heardAt <= DOUBT_LEAST_MS) return false;
    for (const wait of waits) {
      if (now - wait.lastAt > this.#doubtMs(wait)) return true;
    }
    return false;
  }

  #doubtMs({ watched, isHeard, doubtMs: known }: Wait): number {
    if (known !== null) return known;
    const measure = isHeard ? "stall" : watched.measure;
    return doubtMs(this.#known.p95Ms(watched.claim.name, measure));
  }

  #probe(post: Post, now: number, doubted: boolean): void {
    const [wait] = post.waits;
    const probe = wait?.watched.probe ?? null;
    if (probe === null || post.isProbing || now < post.entry.probeFrom) return;
    if (!this.#mayProbe(post, now)) return;
    post.isProbing = true;
    const { probeMs } = post.entry;
    void probe(probeBoundMs(probeMs)).then((end) => {
      post.isProbing = false;
      this.#probed(post, end, now, doubted);
    });
  }

  /** One of all threads of the gateway, and never the next one before its time. */
  #mayProbe({ name, vain }: Post, now: number): boolean {
    const apart = nextProbeMs(vain, this.#random());
    return this.#known.change(name, (entry) => {
      if (now < entry.probeFrom) return false;
      entry.probeFrom = now + apart;
      entry.probes += 1;
      return true;
    });
  }

  #probed(post: Post, end: ProbeEnd, since: number, doubted: boolean): void {
    const proven = doubted && proves(end, post.entry.probeMs);
    post.vain = end === "answered" || proven ? 0 : post.vain + 1;
    if (end === "answered") this.#lives(post, since);
    else if (proven) post.unansweredSince = since;
  }

  /** It thinks. Who was in doubt is so again after twice as long a silence. */
  #lives({ entry, waits }: Post, since: number): void {
    const now = this.#clock.monotonic();
    entry.probeMs = Math.max(1, now - since, entry.probeMs * FORGETS);
    for (const wait of waits) {
      wait.doubtMs = Math.max(this.#doubtMs(wait), 2 * (now - wait.lastAt));
    }
  }
}

/** What one slow probe says fades with the next ones. */
const FORGETS = 0.7;
