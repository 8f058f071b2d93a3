import { type DigestKey, rangeKey } from "../../core/reconcile/digest.ts";
import { refuseDamaged, refuseMoved } from "../../core/reconcile/follow.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { IndexRepair } from "../../ports/index.ts";
import { bigints, texts, vectors } from "./binary.ts";
import type { Session } from "./database.ts";
import { heldNow, type Meta, writeMeta } from "./rows.ts";
import { recount } from "./sums.ts";
import { arrayText, toColumn } from "./text.ts";

/** See IndexStore.repair. */
export async function repair(
  session: Session,
  meta: Meta,
  { at, put, drop }: IndexRepair,
  key: DigestKey,
): Promise<void> {
  refuseMoved(meta.position, at);
  for (const record of put) refuseDamaged(record, key);
  const ids = [...drop, ...put.map(({ id }) => id)];
  await session.all("DELETE FROM records WHERE id = ANY ($1::text[])", [texts(ids.map(toColumn))]);
  const last = new Map(put.map((record) => [record.id, record]));
  await insertRecords(session, "records", [...last.values()], { vectorType: meta.vectorType, key });
  // Not by what changes: nobody knows what a damaged record had added to the sums.
  await recount(session, ids, key);
  await writeMeta(session, { ...meta, held: await heldNow(session) });
}

/** One statement for all of them, whatever their number. */
export async function insertRecords(
  session: Session,
  table: string,
  records: readonly StoredRecord[],
  { vectorType, key }: { readonly vectorType: number; readonly key: DigestKey },
): Promise<void> {
  await session.all(
    `INSERT INTO ${table}
     SELECT id, range_key, audience, labels::text[], embedding, digest, vector, title, text,
       payload::json
     FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
       $7::vector[], $8::text[], $9::text[], $10::text[])
     AS record (id, range_key, audience, labels, embedding, digest, vector, title, text, payload)`,
    [
      texts(records.map(({ id }) => toColumn(id))),
      bigints(records.map(({ id }) => rangeKey(id, key))),
      texts(records.map(({ audience }) => toColumn(audience))),
      texts(records.map(({ labels }) => arrayText(labels.map(toColumn)))),
      texts(records.map(({ embedding }) => toColumn(embedding))),
      texts(records.map(({ digest }) => digest)),
      vectors(
        vectorType,
        records.map(({ vector }) => vector),
      ),
      texts(records.map(({ title }) => toColumn(title))),
      texts(records.map(({ text }) => toColumn(text))),
      texts(records.map(({ payload }) => JSON.stringify(payload))),
    ],
  );
}
