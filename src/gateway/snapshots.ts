import { messageOf, TideoverError } from "../lib/errors.ts";
import { verifySigned } from "../lib/signing.ts";
import { Stop, type StopSignal } from "../lib/stop.ts";
import {
  type SignedSnapshot,
  type Snapshot,
  signedSnapshotSchema,
  snapshotSchema,
} from "../model/snapshot.ts";
import type { Clock } from "../ports/clock.ts";
import { readSnapshotFile, setAside, writeSnapshotFile } from "./snapshot-file.ts";

export interface SignedHolderOptions {
  readonly estate: string;
  /** Where the last adopted snapshot is kept. */
  readonly file: string;
  /** Public keys (SPKI PEM) whose signature counts. */
  readonly trusted: readonly string[];
  readonly clock: Clock;
}

export type Offer =
  | { readonly adopted: true; readonly number: number }
  | { readonly adopted: false; readonly number: number; readonly reason: string };

/** What the leader of several holders serves; `signed` is null for a gateway without controllers. */
export interface Held {
  readonly snapshot: Snapshot | null;
  readonly signed: SignedSnapshot | null;
  readonly lastError: string | null;
}

/** Judges for its followers, writes, and tells them all before it says that it has adopted. */
export interface Leader {
  readonly held: Held;
  offer(signed: SignedSnapshot): Promise<Offer>;
}

type Judged =
  | { readonly ok: true; readonly snapshot: Snapshot }
  | { readonly ok: false; readonly reason: string };

/**
 * The only state that a gateway serves from. A snapshot is verified, compared, written to disk and
 * only then served, so that what was acknowledged survives a kill, and an older one can never
 * replace a newer one: a delayed actor that applies an old plan is how a cloud once emptied its DNS.
 */
export class SnapshotHolder {
  readonly #options: SignedHolderOptions | null;
  readonly #leader: Leader | null;
  readonly #clock: Clock;
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  #current: Snapshot | null;
  #signed: SignedSnapshot | null = null;
  #sinceAt: number;
  #lastError: string | null = null;
  /** Offers are judged one after the other, so that compare, write and swap are one step. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    options: SignedHolderOptions | null,
    current: Snapshot | null,
    clock: Clock,
    leader: Leader | null = null,
  ) {
    this.#options = options;
    this.#leader = leader;
    this.#clock = clock;
    this.#current = current;
    this.#signed = leader?.held.signed ?? null;
    this.#lastError = leader?.held.lastError ?? null;
    this.#sinceAt = clock.monotonic();
  }

  /** Of an estate: starts empty; `load` brings back what was kept. */
  static signed(options: SignedHolderOptions): SnapshotHolder {
    return new SnapshotHolder(options, null, options.clock);
  }

  /** A gateway alone, without a controller: serves what its spec says, for good. */
  static standalone(snapshot: Snapshot, clock: Clock): SnapshotHolder {
    return new SnapshotHolder(null, snapshot, clock);
  }

  /** Of one thread of several: serves what the leader serves, and hands it what it is offered. */
  static following(leader: Leader, clock: Clock): SnapshotHolder {
    return new SnapshotHolder(null, leader.held.snapshot, clock, leader);
  }

  /** What followers of this one start with. */
  get held(): Held {
    return { snapshot: this.#current, signed: this.#signed, lastError: this.#lastError };
  }

  /** The leader's word. An older one than is served changes nothing. */
  follow({ snapshot, signed, lastError }: Held): void {
    this.#lastError = lastError;
    if (snapshot !== null && snapshot.number > this.number) this.#swap(snapshot, signed);
  }

  current(): Snapshot | null {
    return this.#current;
  }

  /** As it was signed, for peers; null when there is none or when the gateway is alone. */
  signed(): SignedSnapshot | null {
    return this.#signed;
  }

  /** Number served now; 0 before the first. */
  get number(): number {
    return this.#current?.number ?? 0;
  }

  /** How long the present snapshot has been served, in ms. */
  get sinceMs(): number {
    return this.#clock.monotonic() - this.#sinceAt;
  }

  /** Why the last offer, or the file at start, was refused; null once a later one was adopted. */
  get lastError(): string | null {
    return this.#lastError;
  }

  /**
   * Serves from the file again after a restart. A file that does not verify is refused, moved aside
   * for whoever wants to know what happened, and the gateway goes on without. Gives null, or the
   * error to tell loudly. Throws DISK_NOT_WRITABLE when the file cannot be read at all.
   */
  async load(): Promise<TideoverError | null> {
    const options = this.#options;
    if (options === null || this.#current !== null) return null;
    const text = await readSnapshotFile(options.file);
    if (text === null) return null;
    const signed = parseSigned(text);
    const judged: Judged =
      signed === null
        ? { ok: false, reason: "it is not a signed snapshot" }
        : this.#judge(signed, options);
    if (signed !== null && judged.ok) {
      this.#swap(judged.snapshot, signed);
      return null;
    }
    const reason = judged.ok ? "" : judged.reason;
    const aside = await setAside(options.file);
    this.#lastError = `the snapshot kept in ${options.file} was refused: ${reason}`;
    return new TideoverError(`${this.#lastError}. It was moved to ${aside}`, {
      code: "SNAPSHOT_REFUSED",
      retry: "later",
      next: "Find out who wrote that file; the gateway waits for a signed snapshot meanwhile.",
    });
  }

  /** Judges a snapshot and adopts it when it is newer. Never throws. */
  offer(signed: SignedSnapshot): Promise<Offer> {
    if (this.#leader !== null) return this.#leader.offer(signed);
    const judged = this.#turn.then(() => this.#adopt(signed));
    this.#turn = judged;
    return judged;
  }

  /** Calls back on every adoption until the returned function is called. */
  onChange(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The snapshot above `after`, as soon as there is one; null after `ms` or when `signal` aborts. */
  async waitForChange(after: number, ms: number, signal: StopSignal): Promise<Snapshot | null> {
    if (this.#current !== null && this.#current.number > after) return this.#current;
    const enough = Stop.with(signal);
    let unsubscribe = (): void => undefined;
    const changed = new Promise<Snapshot>((resolve) => {
      unsubscribe = this.onChange(resolve);
    });
    const timedOut = this.#clock.sleep(ms, enough).then(() => null);
    try {
      return await Promise.race([changed, timedOut]);
    } finally {
      unsubscribe();
      enough.abort("enough");
    }
  }

  async #adopt(signed: SignedSnapshot): Promise<Offer> {
    const options = this.#options;
    if (options === null) {
      return this.#refused("this gateway runs alone, from its spec, and takes no snapshots");
    }
    try {
      const judged = this.#judge(signed, options);
      if (!judged.ok) return this.#refused(judged.reason);
      await writeSnapshotFile(options.file, JSON.stringify(signed));
      this.#swap(judged.snapshot, signed);
      this.#lastError = null;
      return { adopted: true, number: judged.snapshot.number };
    } catch (error) {
      return this.#refused(messageOf(error));
    }
  }

  #judge(signed: SignedSnapshot, options: SignedHolderOptions): Judged {
    if (!isSignatureGood(signed, options.trusted)) {
      return { ok: false, reason: `no trusted key made its signature (key ${signed.keyId})` };
    }
    const parsed = snapshotSchema.safeParse(parseJson(signed.payload));
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      return { ok: false, reason: `${issue?.path.join(".")}: ${issue?.message}` };
    }
    const reason = faultOf(parsed.data, options.estate, this.number);
    return reason === null ? { ok: true, snapshot: parsed.data } : { ok: false, reason };
  }

  #swap(snapshot: Snapshot, signed: SignedSnapshot | null): void {
    this.#current = snapshot;
    this.#signed = signed;
    this.#sinceAt = this.#clock.monotonic();
    for (const listener of [...this.#listeners]) listener(snapshot);
  }

  #refused(reason: string): Offer {
    this.#lastError = reason;
    return { adopted: false, number: this.number, reason };
  }
}

/** What forbids to serve a well-formed, well-signed snapshot; null when nothing does. */
function faultOf(snapshot: Snapshot, estate: string, present: number): string | null {
  if (snapshot.estate !== estate) {
    return `it is of the estate ${snapshot.estate}; this gateway is of ${estate}`;
  }
  if (snapshot.number <= present) {
    return `its number ${snapshot.number} is not above the present ${present}`;
  }
  // An empty table is well-formed and would take every caller down in one step.
  for (const part of ["regions", "workflows", "tenants"] as const) {
    if (Object.keys(snapshot[part]).length === 0) return `it has no ${part}`;
  }
  for (const [workflow, { serving }] of Object.entries(snapshot.workflows)) {
    const unknown = serving.find((region) => snapshot.regions[region] === undefined);
    if (unknown !== undefined) return `${workflow} is served by ${unknown}, which it does not know`;
  }
  return null;
}

function isSignatureGood(signed: SignedSnapshot, trusted: readonly string[]): boolean {
  try {
    return verifySigned(signed, trusted);
  } catch {
    // A key that cannot be read verifies nothing.
    return false;
  }
}

/** The signed envelope in a text; null when there is none. */
export function parseSigned(text: string): SignedSnapshot | null {
  return signedSnapshotSchema.safeParse(parseJson(text)).data ?? null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
