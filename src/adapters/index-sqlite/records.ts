import { addDigest, recordDigest, removeDigest } from "../../core/reconcile/digest.ts";
import { type Change, judgeChange } from "../../core/reconcile/entry.ts";
import { EMPTY_POSITION, type Position } from "../../model/position.ts";
import { type Connection, REPLACE, unavailable } from "./connection.ts";
import { bytesOf, ENTRY_COLUMNS, entryOf } from "./rows.ts";

/** What the records are after one more change, and the change's vector as bytes. */
interface Settled {
  readonly position: Position;
  readonly vector: Uint8Array;
}

/** Carries out one change on the live records. Throws CORPUS_INVALID before it writes anything. */
export function settle(connection: Connection, before: Position, change: Change): Settled {
  const vector = judgeChange(change, dimensionsOf(connection, change.embedding));
  const without = remove(connection, before, change.id);
  const after = change.op === "delete" ? without : insert(connection, without, change, vector);
  const position = { ...after, seq: before.seq + 1, sourceTime: change.sourceTime };
  return { position, vector };
}

function dimensionsOf({ sql }: Connection, embedding: string): number | null {
  const row = sql("SELECT length(vector) / 4 AS dimensions FROM records WHERE embedding = ?").get(
    embedding,
  );
  return row === undefined ? null : Number(row.dimensions);
}

function remove({ sql }: Connection, before: Position, id: string): Position {
  const row = sql("DELETE FROM records WHERE id = ? RETURNING digest").get(id);
  // Deleting what is not there is no fault: the source says the same of every copy.
  if (row === undefined) return before;
  const digest = removeDigest(before.digest, String(row.digest));
  return { ...before, digest, count: before.count - 1 };
}

function insert(
  { sql }: Connection,
  before: Position,
  change: Change,
  vector: Uint8Array,
): Position {
  const { id, audience, embedding, title, text } = change;
  const digest = recordDigest({ id, audience, embedding, vector, title, text });
  sql("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)").run(
    id,
    audience,
    embedding,
    digest,
    vector,
    title,
    text,
  );
  return { ...before, digest: addDigest(before.digest, digest), count: before.count + 1 };
}

/**
 * Makes the records anew from the whole log, which must end at `seq`, and gives their position.
 *
 * From the start and not by undoing the tail: an upsert that is taken back needs the version
 * before it, wherever in the log that is. Every digest is computed again, so that a log which does
 * not lead to what it says (damage on disk) is found here and not served.
 */
export function rebuild(connection: Connection, seq: number, path: string): Position {
  const { sql } = connection;
  sql("DELETE FROM records").run();
  let position = EMPTY_POSITION;
  for (const row of sql(LATEST_VERSIONS).iterate()) {
    position = insert(connection, position, entryOf(row), bytesOf(row));
  }
  const last = sql("SELECT digest_after, source_time FROM log WHERE seq = ?").get(seq);
  if (position.digest !== (last?.digest_after ?? EMPTY_POSITION.digest)) {
    throw unavailable(
      `index file ${path} is damaged: its log does not lead to seq ${seq}`,
      REPLACE,
    );
  }
  return { ...position, seq, sourceTime: Number(last?.source_time ?? 0) };
}

const LATEST_VERSIONS = `
  SELECT ${ENTRY_COLUMNS} FROM log
  WHERE seq IN (SELECT max(seq) FROM log GROUP BY id) AND op = 'upsert'`;
