import { z } from "zod";
import { type Connection, oneMoment } from "../../ledger/connection.ts";
import { type Meta, readMeta } from "../../ledger/meta.ts";
import type { Layout } from "../../ledger/schema.ts";

/** The one version of one Lance table that belongs to what the ledger says. */
export interface Named {
  readonly name: string;
  readonly version: number;
  /** Every way in which its records spell their `embedding`, by name. */
  readonly held: Held;
}

const heldSchema = z.array(z.object({ embedding: z.string(), dimensions: z.number() }));
export type Held = z.infer<typeof heldSchema>;

/** What has come since the table was last put in order. */
export interface Wear {
  readonly writes: number;
  readonly rows: number;
}

/** All that the ledger says at one moment. */
export interface State {
  readonly meta: Meta;
  /** null: nothing was ever written. */
  readonly named: Named | null;
  /** What a restore that is under way has loaded, as soon as its hot part is in. */
  readonly next: Named | null;
  readonly wear: Wear;
}

export const LAYOUT: Layout = {
  // "TILl" in ASCII: tells it from the embedded engine's files, which hold the records too.
  application: 0x54494c6c,
  format: 1,
  tables: `
  CREATE TABLE lance (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    named TEXT NOT NULL,
    next TEXT NOT NULL,
    writes INTEGER NOT NULL,
    rows INTEGER NOT NULL
  ) STRICT;
  INSERT INTO lance VALUES (1, 'null', 'null', 0, 0);`,
};

const namedSchema = z
  .object({ name: z.string(), version: z.number(), held: heldSchema })
  .nullable();

export function readState(connection: Connection): State {
  return oneMoment(connection, () => stateNow(connection));
}

/** As `readState`, within a transaction that is under way. */
export function stateNow(connection: Connection): State {
  const row = connection.sql("SELECT * FROM lance").get() ?? {};
  return {
    meta: readMeta(connection),
    named: namedOf(row.named),
    next: namedOf(row.next),
    wear: { writes: Number(row.writes), rows: Number(row.rows) },
  };
}

function namedOf(text: unknown): Named | null {
  return namedSchema.parse(JSON.parse(String(text)));
}

/** `rows`: how many came or went with this version. */
export function nameVersion({ sql }: Connection, named: Named, rows: number): void {
  sql("UPDATE lance SET named = ?, writes = writes + 1, rows = rows + ?").run(
    JSON.stringify(named),
    rows,
  );
}

/** Names a version with wear of its own: of a table that was put in order, or was just loaded. */
export function nameFresh({ sql }: Connection, named: Named, writes: number): void {
  sql("UPDATE lance SET named = ?, writes = ?, rows = 0").run(JSON.stringify(named), writes);
}

/** null: no restore shows anything. */
export function nameNext({ sql }: Connection, next: Named | null): void {
  sql("UPDATE lance SET next = ?").run(JSON.stringify(next));
}
