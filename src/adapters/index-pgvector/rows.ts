import { z } from "zod";
import type { LogEntry, Payload } from "../../model/change.ts";
import type { Epoch } from "../../model/ids.ts";
import { type IndexStanding, type Watermarks, watermarksSchema } from "../../model/index-health.ts";
import type { Position } from "../../model/position.ts";
import type { StoredRecord } from "../../model/record.ts";
import { vectorBytes } from "./binary.ts";
import type { Session } from "./database.ts";
import { fromColumn, toColumn } from "./text.ts";
import { unavailable } from "./trouble.ts";

export type Row = Readonly<Record<string, unknown>>;

const heldSchema = z.array(z.object({ embedding: z.string(), dimensions: z.int() }));

const hotSchema = z.object({ loaded: z.int(), total: z.int(), held: heldSchema });

/** The row of `meta`. */
export interface Meta {
  readonly position: Position;
  /** Highest epoch seen. */
  readonly epoch: Epoch;
  readonly base: number;
  readonly watermarks: Watermarks;
  /** Why it may not answer; null: it may. */
  readonly quarantine: string | null;
  /** What of a restore that is under way answers already. */
  readonly hot: z.infer<typeof hotSchema> | null;
  /** Every way in which the records spell their `embedding`. */
  readonly held: z.infer<typeof heldSchema>;
  /** Grows when the contents are replaced as a whole. */
  readonly generation: number;
  /** Grows when a restore begins or is given up: an older one then goes no further. */
  readonly attempt: number;
  /** Number of the type `vector` in this database: an extension's types have other ones in each. */
  readonly vectorType: number;
}

/** `lock`: nobody else writes until the transaction ends. */
export async function readMeta(session: Session, lock: boolean): Promise<Meta> {
  const [row] = await session.all(`SELECT ${META_COLUMNS} FROM meta${lock ? " FOR UPDATE" : ""}`);
  if (row === undefined) throw unavailable("index has lost its position", "Restore its schema.");
  return {
    position: {
      seq: Number(row.seq),
      digest: String(row.digest),
      sourceTime: Number(row.source_time),
      count: Number(row.count),
    },
    epoch: Number(row.epoch),
    base: Number(row.base),
    watermarks: watermarksSchema.parse(JSON.parse(String(row.watermarks))),
    quarantine: row.quarantine === null ? null : text(row.quarantine),
    hot: hotSchema.nullable().parse(JSON.parse(String(row.hot))),
    held: heldSchema.parse(JSON.parse(String(row.held))),
    generation: Number(row.generation),
    attempt: Number(row.attempt),
    vectorType: Number(row.vector_type),
  };
}

// As text: the driver would read the JSON itself, and our schemas could not tell what it was.
const META_COLUMNS = `seq, digest, source_time, count, epoch, base, watermarks::text AS watermarks,
  quarantine, hot::text AS hot, held::text AS held, generation,
  attempt, 'vector'::regtype::oid AS vector_type`;

/** A quarantine outlasts a restore: only whoever proved the new contents lifts it. */
export function standingOf({ quarantine, hot }: Meta): IndexStanding {
  if (quarantine !== null) return { kind: "quarantined", because: quarantine };
  if (hot === null) return { kind: "whole" };
  return { kind: "partial", loaded: hot.loaded, total: hot.total };
}

export async function writeMeta(session: Session, meta: Meta): Promise<void> {
  const { position } = meta;
  await session.all(
    `UPDATE meta SET seq = $1, digest = $2, source_time = $3, count = $4, epoch = $5, base = $6,
       watermarks = $7, quarantine = $8, hot = $9, held = $10, generation = $11, attempt = $12`,
    [
      position.seq,
      position.digest,
      position.sourceTime,
      position.count,
      meta.epoch,
      meta.base,
      JSON.stringify(meta.watermarks),
      meta.quarantine === null ? null : toColumn(meta.quarantine),
      meta.hot === null ? null : JSON.stringify(meta.hot),
      JSON.stringify(meta.held),
      meta.generation,
      meta.attempt,
    ],
  );
}

/**
 * The first and the last embedding version by name: two look-ups instead of a scan, and enough.
 * When these are equal to a query's, so is every one between.
 */
/** By single steps through the names, each of which has many records. */
export async function heldNow(session: Session, table = "records"): Promise<Meta["held"]> {
  const first = (where: string) =>
    `SELECT embedding, vector_dims(vector) AS dimensions FROM ${table} ${where}
     ORDER BY embedding LIMIT 1`;
  const rows = await session.all(`
    WITH RECURSIVE held AS (
      (${first("")}) UNION ALL
      SELECT next.* FROM held
      CROSS JOIN LATERAL (${first(`WHERE ${table}.embedding > held.embedding`)}) next
    ) SELECT embedding, dimensions FROM held`);
  return rows.map((row) => ({
    embedding: text(row.embedding),
    dimensions: Number(row.dimensions),
  }));
}

export const ENTRY_COLUMNS = `seq, epoch, op, id, title, text, audience, labels,
  payload::text AS payload, source_time, embedding, vector_send(vector) AS vector, digest_after`;

/** A row of `log` or `orphans`, as it travels. */
export function entryOf(row: Row): LogEntry {
  return {
    seq: Number(row.seq),
    epoch: Number(row.epoch),
    op: row.op === "delete" || row.op === "watermark" ? row.op : "upsert",
    id: text(row.id),
    title: text(row.title),
    text: text(row.text),
    audience: text(row.audience),
    labels: labels(row.labels),
    payload: payload(row.payload),
    sourceTime: Number(row.source_time),
    embedding: text(row.embedding),
    vector: Buffer.from(vectorBytes(row.vector)).toString("base64"),
    digestAfter: String(row.digest_after),
  };
}

export const RECORD_COLUMNS = `id, audience, labels, embedding, digest,
  vector_send(vector) AS vector, title, text, payload::text AS payload`;

/** A row of `records`, or an image of one in `undo`. */
export function recordOf(row: Row): StoredRecord {
  return {
    id: text(row.id),
    audience: text(row.audience),
    labels: labels(row.labels),
    embedding: text(row.embedding),
    vector: vectorBytes(row.vector),
    title: text(row.title),
    text: text(row.text),
    payload: payload(row.payload),
    digest: String(row.digest),
  };
}

export function text(column: unknown): string {
  return fromColumn(String(column));
}

/** Texts to look for. Half a character is in no column, and would be sent as another one. */
export function wanted(values: readonly string[]): string[] {
  return values.filter((value) => value.isWellFormed()).map(toColumn);
}

function labels(column: unknown): string[] {
  return Array.isArray(column) ? column.map(text) : [];
}

/** Judged when it was written; whether it is still the same, its record's digest says. */
function payload(column: unknown): Payload {
  return column === "{}" ? {} : JSON.parse(String(column));
}
