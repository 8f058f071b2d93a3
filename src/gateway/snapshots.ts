import { messageOf, TideoverError } from "../lib/errors.ts";
import { Listeners } from "../lib/listeners.ts";
import { verifySigned } from "../lib/signing.ts";
import { Stop, type StopSignal } from "../lib/stop.ts";
import type { RegionName } from "../model/ids.ts";
import {
  type SignedSnapshot,
  type Snapshot,
  signedSnapshotSchema,
  snapshotSchema,
} from "../model/snapshot.ts";
import type { Clock } from "../ports/clock.ts";
import type { ReleaseVerifier } from "../ports/releases.ts";
import { refusedRelease, type ServedSnapshot, servedBy } from "./served-release.ts";
import {
  keepLastGood,
  lastGoodFile,
  readSnapshotFile,
  setAside,
  writeSnapshotFile,
} from "./snapshot-file.ts";

export interface SignedHolderOptions {
  readonly estate: string;
  /** Whose release is served, and verified first. */
  readonly region: RegionName;
  readonly verifyRelease: ReleaseVerifier;
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
  readonly snapshot: ServedSnapshot | null;
  readonly signed: SignedSnapshot | null;
  readonly lastError: string | null;
}

/** Judges for its followers, writes, and tells them all before it says that it has adopted. */
export interface Leader {
  readonly held: Held;
  offer(signed: SignedSnapshot): Promise<Offer>;
}

type Judged = { readonly ok: true; readonly snapshot: Snapshot } | Refusal;

interface Refusal {
  readonly ok: false;
  readonly reason: string;
  /** What to do, where it is not about who wrote it. */
  readonly next?: string;
}

/** A file that a start could not serve from. */
interface RefusedFile {
  readonly message: string;
  /** Where it is now; null: it was moved by an earlier start. */
  readonly aside: string | null;
  readonly next: string;
}

/** Beside the last good one there is nothing: an earlier start has refused what was there. */
const LEFT_BEFORE: RefusedFile = {
  message: "the newest snapshot was refused by an earlier start, and none has come since",
  aside: null,
  next: "Look at why it was refused, in the log of that start.",
};

const REFUSED_RELEASE =
  "Sign that release by a trusted key (`tideover release sign`) and activate it again, put its key into `release.trust`, or roll back.";

/** A good signature over another shape: this estate's own, of before or after an upgrade. */
const OTHER_VERSION =
  "Start a controller of this version, which publishes it anew; or move that file back for the version that wrote it.";

/**
 * The only state that a gateway serves from. A snapshot is verified, compared, written to disk and
 * only then served, so that what was acknowledged survives a kill, and an older one can never
 * replace a newer one: a delayed actor that applies an old plan is how a cloud once emptied its DNS.
 */
export class SnapshotHolder {
  readonly #options: SignedHolderOptions | null;
  readonly #leader: Leader | null;
  readonly #clock: Clock;
  readonly #listeners = new Listeners<ServedSnapshot>();
  #current: ServedSnapshot | null;
  #signed: SignedSnapshot | null = null;
  #sinceAt: number;
  #releaseSinceAt: number;
  #lastError: string | null = null;
  /** Releases that were good enough to serve here: an expiry takes none of them away any more. */
  readonly #ran = new Set<string>();
  /** Offers are judged one after the other, so that compare, write and swap are one step. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    options: SignedHolderOptions | null,
    current: ServedSnapshot | null,
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
    this.#releaseSinceAt = this.#sinceAt;
  }

  /** Of an estate: starts empty; `load` brings back what was kept. */
  static signed(options: SignedHolderOptions): SnapshotHolder {
    return new SnapshotHolder(options, null, options.clock);
  }

  /** A gateway alone, without a controller: serves what its spec says, for good. */
  static standalone(snapshot: Snapshot, region: RegionName, clock: Clock): SnapshotHolder {
    return new SnapshotHolder(null, servedBy(snapshot, region), clock);
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

  current(): ServedSnapshot | null {
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

  /** How long the present release has been served, in ms. */
  get releaseSinceMs(): number {
    return this.#clock.monotonic() - this.#releaseSinceAt;
  }

  /** Why the last offer, or the file at start, was refused; null once a later one was adopted. */
  get lastError(): string | null {
    return this.#lastError;
  }

  /**
   * Serves from the file again after a restart. A file that does not verify is refused, moved aside
   * for whoever wants to know what happened, and the gateway goes on with the last snapshot whose
   * release was another one, if it kept one that still verifies. Gives null, or the error to tell
   * loudly. Throws DISK_NOT_WRITABLE when a file cannot be read at all.
   */
  async load(): Promise<TideoverError | null> {
    const options = this.#options;
    if (options === null || this.#current !== null) return null;
    const found = await this.#loadFrom(options.file, options);
    if (found === null && this.#current !== null) {
      await this.#rememberLastGood(options);
      return null;
    }
    const before = await this.#loadFrom(lastGoodFile(options.file), options);
    const kept = before === null && this.#current !== null;
    // No file at all, and none of before either: a gateway that never had one.
    const refused = found ?? before ?? (kept ? LEFT_BEFORE : null);
    if (refused === null) return null;
    this.#lastError = refused.message;
    const meanwhile = kept
      ? `The gateway serves its last good release (snapshot ${this.number}) meanwhile.`
      : "The gateway waits for a signed snapshot meanwhile.";
    const aside = refused.aside === null ? "" : `. It was moved to ${refused.aside}`;
    return new TideoverError(`${refused.message}${aside}`, {
      code: "SNAPSHOT_REFUSED",
      retry: "later",
      next: `${refused.next} ${meanwhile}`,
    });
  }

  /** A rollback to it must be possible after a restart, too, whatever has expired since. */
  async #rememberLastGood(options: SignedHolderOptions): Promise<void> {
    const text = await readSnapshotFile(lastGoodFile(options.file));
    const signed = text === null ? null : parseSigned(text);
    const read = signed === null ? null : readSigned(signed, options.trusted);
    if (read?.ok) this.#ran.add(servedBy(read.snapshot, options.region).releaseDigest);
  }

  /** Adopts a file. Gives null when it did, or when there is none; else what was found. */
  async #loadFrom(file: string, options: SignedHolderOptions): Promise<RefusedFile | null> {
    const text = await readSnapshotFile(file);
    if (text === null) return null;
    const signed = parseSigned(text);
    const judged: Judged =
      signed === null
        ? { ok: false, reason: "it is not a signed snapshot" }
        : await this.#judge(signed, options);
    if (signed !== null && judged.ok) {
      this.#swap(servedBy(judged.snapshot, options.region), signed);
      return null;
    }
    const { reason = "", next = "Find out who wrote that file." } = judged.ok ? {} : judged;
    const message = `the snapshot kept in ${file} was refused: ${reason}`;
    return { message, aside: await setAside(file), next };
  }

  /** Judges a snapshot and adopts it when it is newer. Never throws. */
  offer(signed: SignedSnapshot): Promise<Offer> {
    if (this.#leader !== null) return this.#leader.offer(signed);
    const judged = this.#turn.then(() => this.#adopt(signed));
    this.#turn = judged;
    return judged;
  }

  /** Calls back on every adoption until the returned function is called. */
  onChange(listener: (snapshot: ServedSnapshot) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** The snapshot above `after`, as soon as there is one; null after `ms` or when `signal` aborts. */
  async waitForChange(
    after: number,
    ms: number,
    signal: StopSignal,
  ): Promise<ServedSnapshot | null> {
    if (this.#current !== null && this.#current.number > after) return this.#current;
    const enough = Stop.with(signal);
    let unsubscribe = (): void => undefined;
    const changed = new Promise<ServedSnapshot>((resolve) => {
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
      const judged = await this.#judge(signed, options);
      if (!judged.ok) return this.#refused(judged.reason);
      // What is left is what a restart goes back to, should the new release not verify by then.
      const left = this.#current?.releaseDigest;
      if (left !== undefined && left !== servedBy(judged.snapshot, options.region).releaseDigest) {
        await keepLastGood(options.file);
      }
      await writeSnapshotFile(options.file, JSON.stringify(signed));
      this.#swap(servedBy(judged.snapshot, options.region), signed);
      this.#lastError = null;
      return { adopted: true, number: judged.snapshot.number };
    } catch (error) {
      return this.#refused(messageOf(error));
    }
  }

  async #judge(signed: SignedSnapshot, options: SignedHolderOptions): Promise<Judged> {
    const read = readSigned(signed, options.trusted);
    if (!read.ok) return read;
    const { estate, region, verifyRelease: verify } = options;
    const fault = faultOf(read.snapshot, estate, this.number);
    if (fault !== null) return { ok: false, reason: fault };
    const reason = await refusedRelease(read.snapshot, region, { verify, ran: this.#ran });
    return reason === null ? read : { ok: false, reason, next: REFUSED_RELEASE };
  }

  #swap(served: ServedSnapshot, signed: SignedSnapshot | null): void {
    const now = this.#clock.monotonic();
    if (served.releaseDigest !== this.#current?.releaseDigest) this.#releaseSinceAt = now;
    this.#current = served;
    this.#ran.add(served.releaseDigest);
    this.#signed = signed;
    this.#sinceAt = now;
    this.#listeners.tell(served);
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

/** What a trusted key has signed; a refusal when none has, or when it is of another shape. */
function readSigned(signed: SignedSnapshot, trusted: readonly string[]): Judged {
  if (!isSignatureGood(signed, trusted)) {
    return { ok: false, reason: `no trusted key made its signature (key ${signed.keyId})` };
  }
  const parsed = snapshotSchema.safeParse(parseJson(signed.payload));
  if (parsed.success) return { ok: true, snapshot: parsed.data };
  const issue = parsed.error.issues[0];
  return {
    ok: false,
    reason: `another version of Tideover wrote it: ${issue?.path.join(".")}: ${issue?.message}`,
    next: OTHER_VERSION,
  };
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
