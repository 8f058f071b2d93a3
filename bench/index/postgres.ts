import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { vectorParameter } from "../../src/adapters/index-pgvector/binary.ts";
import { openPgvectorIndex } from "../../src/adapters/index-pgvector/index.ts";
import type { StoredRecord } from "../../src/model/record.ts";
import type { IndexSnapshot } from "../../src/ports/index.ts";

export interface PostgresFigures {
  readonly engine: "pgvector";
  readonly records: number;
  readonly dimensions: number;
  /** Records a second of a restore by the adapter: digests, keys, policies and sums with it. */
  readonly vectorsPerSecond: number;
  /** Of one binary COPY of the same records into a table without keys, past every socket. */
  readonly copyVectorsPerSecond: number;
  /** The first divided by the second. */
  readonly ratio: number;
}

const PAGE = 1_000;

/**
 * The same records by the adapter and by a plain COPY, into the real extension. The server is PGlite
 * in this process (PostgreSQL on one thread, in memory): the ratio says more than the rates.
 */
export async function benchPostgres(
  snapshot: IndexSnapshot,
  dimensions: number,
): Promise<PostgresFigures> {
  const db = await PGlite.create({ extensions: { vector } });
  const server = new PGLiteSocketServer({ db, port: 0, maxConnections: 10 });
  const listening = new Promise<number>((resolve) => {
    server.addEventListener("listening", (event) => {
      if (event instanceof CustomEvent) resolve(Number(event.detail.port));
    });
  });
  await server.start();
  const url = `postgres://postgres@127.0.0.1:${await listening}/postgres`;
  try {
    await db.exec("CREATE EXTENSION vector");
    const records = snapshot.position.count;
    const copyMs = await plainCopy(db, snapshot);
    const index = await openPgvectorIndex({ url, schema: "bench", connections: 1 });
    const began = performance.now();
    const { position, epoch, watermarks } = snapshot;
    await index.restore({ position, epoch, watermarks, records: snapshot.records(PAGE) });
    const restoreMs = performance.now() - began;
    await index.close();
    return {
      ...{ engine: "pgvector", records, dimensions },
      vectorsPerSecond: Math.round((records * 1_000) / restoreMs),
      copyVectorsPerSecond: Math.round((records * 1_000) / copyMs),
      ratio: copyMs / restoreMs,
    };
  } finally {
    await server.stop();
    await db.close();
  }
}

const TABLE = `
  CREATE TABLE plain (
    id text, audience text, labels text[], embedding text, digest text, vector vector,
    title text, text text, payload json
  )`;

/** Gives the time of the statement, in ms. */
async function plainCopy(db: PGlite, snapshot: IndexSnapshot): Promise<number> {
  await db.exec(TABLE);
  const parts: Uint8Array<ArrayBuffer>[] = [HEAD];
  for await (const page of snapshot.records(PAGE)) parts.push(Buffer.concat(page.map(rowOf)));
  const blob = new Blob([...parts, END]);
  const began = performance.now();
  await db.query("COPY plain FROM '/dev/blob' (FORMAT binary)", [], { blob });
  const tookMs = performance.now() - began;
  await db.exec("DROP TABLE plain");
  return tookMs;
}

const HEAD = Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), Buffer.alloc(8)]);
const END = Buffer.from([0xff, 0xff]);
/** An array of texts with nothing in it: no dimensions, no NULLs, the type's number. */
const NO_LABELS = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25]);

function rowOf({ id, audience, embedding, digest, vector, title, text, payload }: StoredRecord) {
  const rest = [title, text, JSON.stringify(payload)].map((value) => Buffer.from(value));
  const [first, second] = [
    [id, audience].map((value) => Buffer.from(value)),
    [embedding, digest].map((value) => Buffer.from(value)),
  ];
  return fieldsOf([...first, NO_LABELS, ...second, vectorParameter(vector), ...rest]);
}

function fieldsOf(fields: readonly Buffer[]): Buffer {
  const bytes = Buffer.allocUnsafe(fields.reduce((sum, { length }) => sum + 4 + length, 2));
  let at = bytes.writeInt16BE(fields.length, 0);
  for (const field of fields) {
    at = bytes.writeInt32BE(field.length, at);
    at += field.copy(bytes, at);
  }
  return bytes;
}
