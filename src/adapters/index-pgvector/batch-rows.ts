import type { Batch, Live, Version } from "../../core/reconcile/batch.ts";
import { type DigestKey, rangeKey } from "../../core/reconcile/digest.ts";
import type { LogEntry } from "../../model/change.ts";
import { bigints, doubles, texts, vectors } from "./binary.ts";
import type { Session } from "./database.ts";
import { text } from "./rows.ts";
import { addToRanges } from "./sums.ts";
import { arrayText, toColumn } from "./text.ts";

/** Writes a batch: log, undo images, records, sums. The row of `meta` is the caller's. */
export async function writeBatch(
  session: Session,
  batch: Batch,
  vectorType: number,
): Promise<void> {
  await writeLog(session, batch, vectorType);
  await writeUndo(session, batch);
  await writeRecords(session, batch);
  await addToRanges(session, batch.leaves);
}

/** The batch's documents that there are. */
export async function liveOf(
  session: Session,
  entries: readonly LogEntry[],
  key: DigestKey,
): Promise<Map<string, Live>> {
  const ids = new Set(entries.filter(({ op }) => op !== "watermark").map(({ id }) => id));
  const rows = await session.all(
    "SELECT id, digest, embedding FROM records WHERE id = ANY ($1::text[])",
    [texts([...ids].map(toColumn))],
  );
  return new Map(
    rows.map((row) => {
      const [id, digest, embedding] = [text(row.id), String(row.digest), text(row.embedding)];
      return [id, { seq: null, digest, embedding, rangeKey: rangeKey(id, key) }];
    }),
  );
}

/**
 * How many records have a version is only counted where it matters: where a vector of the batch
 * has other dimensions, which is right once the last record of the old ones is gone.
 */
export async function versionsOf(
  session: Session,
  entries: readonly LogEntry[],
): Promise<Map<string, Version>> {
  const sizes = new Map<string, Set<number>>();
  for (const { embedding, vector, op } of entries) {
    if (op !== "upsert") continue;
    const size = Math.floor(Buffer.byteLength(vector, "base64") / 4);
    sizes.set(embedding, (sizes.get(embedding) ?? new Set()).add(size));
  }
  const names = [...sizes.keys()];
  if (names.length === 0) return new Map();
  const rows = await session.all(
    `SELECT n, (SELECT vector_dims(vector) FROM records WHERE embedding = name LIMIT 1) AS dimensions
     FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, n)`,
    [texts(names.map(toColumn))],
  );
  const versions = new Map<string, Version>();
  for (const { n, dimensions } of rows) {
    const name = names[Number(n) - 1];
    if (name === undefined || dimensions === null) continue;
    const all = new Set([Number(dimensions), ...(sizes.get(name) ?? [])]);
    const count = all.size === 1 ? Number.POSITIVE_INFINITY : await countOf(session, name);
    versions.set(name, { dimensions: Number(dimensions), count });
  }
  return versions;
}

async function countOf(session: Session, embedding: string): Promise<number> {
  const [row] = await session.all("SELECT count(*) AS count FROM records WHERE embedding = $1", [
    toColumn(embedding),
  ]);
  return Number(row?.count);
}

async function writeLog(session: Session, { logged }: Batch, vectorType: number): Promise<void> {
  const entries = logged.map(({ entry }) => entry);
  await session.all(
    `INSERT INTO log
     SELECT seq, epoch, op, id, title, text, audience, labels::text[], payload::json, source_time,
       embedding, vector, digest_after
     FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
       $7::text[], $8::text[], $9::text[], $10::double precision[], $11::text[], $12::vector[],
       $13::text[])
     AS entry (seq, epoch, op, id, title, text, audience, labels, payload, source_time, embedding,
       vector, digest_after)`,
    [
      bigints(entries.map(({ seq }) => seq)),
      bigints(entries.map(({ epoch }) => epoch)),
      texts(entries.map(({ op }) => op)),
      texts(entries.map(({ id }) => toColumn(id))),
      texts(entries.map(({ title }) => toColumn(title))),
      texts(entries.map(({ text }) => toColumn(text))),
      texts(entries.map(({ audience }) => toColumn(audience))),
      texts(entries.map(({ labels }) => arrayText(labels.map(toColumn)))),
      texts(entries.map(({ payload }) => JSON.stringify(payload))),
      doubles(entries.map(({ sourceTime }) => sourceTime)),
      texts(entries.map(({ embedding }) => toColumn(embedding))),
      vectors(
        vectorType,
        logged.map(({ vector }) => vector),
      ),
      texts(entries.map(({ digestAfter }) => digestAfter)),
    ],
  );
}

/** The images are copied where they are: no vector comes here and goes back. */
async function writeUndo(session: Session, { logged }: Batch): Promise<void> {
  await session.all(
    `INSERT INTO undo
     SELECT n.seq, n.id, n.digest, n.source_time, n.count, n.watermarks::json,
       r.range_key, r.audience, r.labels, r.embedding, r.digest, r.vector, r.title, r.text, r.payload
     FROM unnest($1::bigint[], $2::text[], $3::text[], $4::double precision[], $5::bigint[],
       $6::text[], $7::boolean[]) AS n (seq, id, digest, source_time, count, watermarks, replaces)
     LEFT JOIN records r ON n.replaces AND r.id = n.id`,
    [
      bigints(logged.map(({ entry }) => entry.seq)),
      texts(logged.map(({ entry }) => toColumn(entry.id))),
      texts(logged.map(({ before }) => before.digest)),
      doubles(logged.map(({ before }) => before.sourceTime)),
      bigints(logged.map(({ before }) => before.count)),
      texts(logged.map(({ watermarks }) => watermarks && JSON.stringify(watermarks))),
      `{${logged.map(({ replaced }) => replaced?.seq === null).join(",")}}`,
    ],
  );
  await writeUndoWithin(session, logged);
}

/** Of what was written and replaced in one batch, the image stands in the log alone. */
async function writeUndoWithin(session: Session, logged: Batch["logged"]): Promise<void> {
  const within = logged.flatMap(({ entry, replaced }) => {
    return replaced === null || replaced.seq === null ? [] : [{ ...replaced, by: entry.seq }];
  });
  if (within.length === 0) return;
  await session.all(
    `UPDATE undo SET range_key = n.range_key, audience = l.audience, labels = l.labels,
       embedding = l.embedding, digest = n.digest, vector = l.vector, title = l.title,
       text = l.text, payload = l.payload
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])
       AS n (seq, written, range_key, digest)
     JOIN log l ON l.seq = n.written
     WHERE undo.seq = n.seq`,
    [
      bigints(within.map(({ by }) => by)),
      bigints(within.map(({ seq }) => seq)),
      bigints(within.map((live) => live.rangeKey)),
      texts(within.map(({ digest }) => digest)),
    ],
  );
}

async function writeRecords(session: Session, { ends }: Batch): Promise<void> {
  const all = [...ends];
  const gone = all.flatMap(([id, live]) => (live === null ? [toColumn(id)] : []));
  if (gone.length > 0) {
    await session.all("DELETE FROM records WHERE id = ANY ($1::text[])", [texts(gone)]);
  }
  const written = all.flatMap(([, live]) => (live === null || live.seq === null ? [] : [live]));
  if (written.length === 0) return;
  await session.all(
    `INSERT INTO records
     SELECT l.id, n.range_key, l.audience, l.labels, l.embedding, n.digest, l.vector, l.title,
       l.text, l.payload
     FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS n (seq, range_key, digest)
     JOIN log l USING (seq)
     ON CONFLICT (id) DO UPDATE SET range_key = excluded.range_key, audience = excluded.audience,
       labels = excluded.labels, embedding = excluded.embedding, digest = excluded.digest,
       vector = excluded.vector, title = excluded.title, text = excluded.text,
       payload = excluded.payload`,
    [
      bigints(written.map(({ seq }) => seq)),
      bigints(written.map((live) => live.rangeKey)),
      texts(written.map(({ digest }) => digest)),
    ],
  );
}
