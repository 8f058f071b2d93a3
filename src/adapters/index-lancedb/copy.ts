import { type Connection, transaction } from "../../ledger/connection.ts";
import type { IndexFile } from "../../ledger/index-file.ts";
import type { Meta } from "../../ledger/meta.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { StoredRecord } from "../../model/record.ts";
import {
  type Held,
  type Named,
  nameVersion,
  readState,
  type State,
  stateNow,
} from "./bookkeeping.ts";
import type { LanceTable } from "./driver.ts";
import type { Lake } from "./lake.ts";
import type { LanceOptions } from "./options.ts";
import { type Found, heldNow, heldWith } from "./reading.ts";
import { explained, unavailable } from "./trouble.ts";
import type { Writer } from "./writer.ts";

/** One copy of an index: the ledger's file, and the Lance tables of which it names one version. */
export class Copy {
  readonly options: LanceOptions;
  readonly file: IndexFile;
  readonly lake: Lake;
  /** Versions that snapshots still read. */
  readonly pinned = new Set<Named>();
  /** Tables in whose place others have come, and since when. */
  readonly retired = new Map<string, number>();
  /** Two restores at once would load into one table. */
  restoring = false;
  #last: Promise<unknown> = Promise.resolve();

  readonly #afterWrite: (copy: Copy) => Promise<void>;

  /** `afterWrite`: what is done after a write, which does not wait for it. */
  constructor(
    options: LanceOptions,
    file: IndexFile,
    lake: Lake,
    afterWrite: (copy: Copy) => Promise<void>,
  ) {
    this.options = options;
    this.file = file;
    this.lake = lake;
    this.#afterWrite = afterWrite;
  }

  /** Reads the ledger alone. */
  look<T>(work: (connection: Connection) => T): T {
    return this.file.use((connection) => {
      this.lake.refuseMissing(stateNow(connection).named);
      return work(connection);
    });
  }

  /** Writes the ledger alone. */
  note<T>(work: (connection: Connection) => T): T {
    this.#refuseReader();
    return this.look(work);
  }

  /** Reads records as of one moment, in the table that `pick` gives; null: there is none yet. */
  async read<T>(
    work: (table: LanceTable | null, state: State) => Promise<T>,
    pick: (state: State) => Named | null = ({ named }) => named,
  ): Promise<T> {
    for (;;) {
      const state = this.look(readState);
      const shown = pick(state);
      try {
        return await work(shown === null ? null : await this.lake.at(shown), state);
      } catch (error) {
        if (error instanceof TideoverError || error instanceof RangeError) throw error;
        // The writer may have put the table in order, or another one in its place, while we read.
        const now = pick(this.look(readState));
        if (JSON.stringify(now) === JSON.stringify(shown)) {
          throw explained(this.options.folder, error);
        }
      }
    }
  }

  /** One write after the other; each ends with `turn.commit`, or has done nothing. */
  async write<T>(work: (turn: Turn) => Promise<T>): Promise<T> {
    return this.alone(async () => {
      const turn = await Turn.begin(this);
      const result = await work(turn);
      this.alone(() => this.#afterWrite(this)).catch(() => undefined);
      return result;
    });
  }

  /** Runs nothing else that writes a table meanwhile. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#refuseReader();
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => undefined);
    try {
      return await mine;
    } catch (error) {
      this.lake.forgetWriter();
      throw explained(this.options.folder, error);
    }
  }

  async close(): Promise<void> {
    this.file.close();
    // Whatever still comes finds the file closed, but may be on its way into the table.
    for (let last: unknown = null; last !== this.#last; ) {
      last = this.#last;
      await this.#last;
    }
  }

  #refuseReader(): void {
    if (this.options.readOnly !== true) return;
    throw unavailable(
      `index file ${this.options.path} is open for reading only`,
      "Write through its agent.",
    );
  }
}

/** What a write takes out of the table, and puts into it. */
interface Replacement {
  readonly drop: readonly Found[];
  readonly put: readonly StoredRecord[];
}

/**
 * One write. The table is written first, and the ledger's transaction then names its new version
 * together with log, sums and position: that is the moment in which all of it happens. A process
 * that dies before leaves a version that nobody names, and the next write takes it back.
 */
export class Turn {
  readonly #copy: Copy;
  readonly #begun: State;
  #writer: Writer | null;
  #held: Held;
  #rows = 0;

  private constructor(copy: Copy, begun: State, writer: Writer | null) {
    this.#copy = copy;
    this.#begun = begun;
    this.#writer = writer;
    this.#held = begun.named?.held ?? [];
  }

  static async begin(copy: Copy): Promise<Turn> {
    const state = copy.look(readState);
    const { named } = state;
    return new Turn(copy, state, named === null ? null : await copy.lake.writer(named));
  }

  get meta(): Meta {
    return this.#begun.meta;
  }

  /** Every way in which the records spell their `embedding`, as they are now. */
  get held(): Held {
    return this.#held;
  }

  /** The table as it is now; null: there is none yet. */
  get table(): LanceTable | null {
    return this.#writer?.table ?? null;
  }

  look<T>(work: (connection: Connection) => T): T {
    return this.#copy.look(work);
  }

  async replace({ drop, put }: Replacement): Promise<void> {
    if (drop.length + put.length === 0) return;
    this.#writer ??= await this.#copy.lake.make(`records_${this.meta.generation}`);
    await this.#writer.drop(drop.map(({ row }) => row));
    await this.#writer.add(put);
    this.#held = await heldNow(this.#writer.table, heldWith(this.#held, put), put);
    this.#rows += drop.length + put.length;
  }

  /** Carries out `work` in the ledger, together with what was replaced. */
  async commit<T>(work: (connection: Connection, now: Meta) => T): Promise<T> {
    const named = this.#named();
    if (named !== null) await this.#writer?.sync();
    return this.#copy.look((connection) =>
      transaction(connection, () => {
        const now = stateNow(connection);
        this.#refuseOvertaken(now);
        const result = work(connection, now.meta);
        if (named !== null) nameVersion(connection, named, this.#rows);
        return result;
      }),
    );
  }

  /** What is to be named; null: the version that is named already. */
  #named(): Named | null {
    if (this.#writer === null) return null;
    const { name, version } = this.#writer;
    const { named } = this.#begun;
    if (named?.name === name && named.version === version) return null;
    return { name, version, held: this.#held };
  }

  /** The file lets nobody else write, but only while a transaction lasts. */
  #refuseOvertaken(now: State): void {
    const same =
      JSON.stringify(now.named) === JSON.stringify(this.#begun.named) &&
      JSON.stringify(now.meta.position) === JSON.stringify(this.meta.position);
    if (same) return;
    throw unavailable(
      `index file ${this.#copy.options.path} was written by another process meanwhile`,
      "Let one agent alone write each copy of an index; then try again.",
    );
  }
}
