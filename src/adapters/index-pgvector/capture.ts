import { readFileSync } from "node:fs";
import { sortedLabels } from "../../core/reconcile/digest.ts";
import type { AdoptSpec } from "../../model/adopt.ts";
import { payloadSchema } from "../../model/change.ts";
import type { EmbeddedChange } from "../../ports/index.ts";
import type { ChangeSource, SourceBatch } from "../../ports/source.ts";
import { bigints, vectorBytes } from "./binary.ts";
import {
  type Database,
  literal,
  loadDriver,
  openDatabase,
  quoted,
  type Session,
} from "./database.ts";
import type { Row } from "./rows.ts";
import { unavailable } from "./trouble.ts";

export interface CaptureOptions {
  /** Connection string of the table's database. */
  readonly url: string;
  /** Holds the notes; made by `install`. */
  readonly schema: string;
  /** Name of the notes: the index's, since a table may feed several. */
  readonly index: string;
  readonly adopt: AdoptSpec;
}

const READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
const TIMEOUT_MS = 60_000;

/**
 * The rows of a table that somebody else writes, as changes of an index. Triggers note the ids of
 * rows that change; what is given is the row as it is when it is asked for.
 *
 * Throws INDEX_UNAVAILABLE from `next` while the table, one of its columns or the notes are missing.
 */
export async function openCapture(options: CaptureOptions): Promise<ChangeSource> {
  const database = await openDatabase({ ...options, connections: 1 }, await loadDriver());
  let idType: string | null = null;
  return {
    next: async (limit) => {
      idType ??= await prepare(database, options);
      const type = idType;
      const how = { begin: [READ], timeout: TIMEOUT_MS };
      const due = await database.transaction(how, (session) => look(session, options, type, limit));
      return batchOf(due, options, limit, (notes) => forget(database, options, notes));
    },
    close: () => database.close(),
  };
}

/** Judges the mapping, and makes the notes where that is wanted. Gives the type of the ids. */
async function prepare(database: Database, options: CaptureOptions): Promise<string> {
  const { adopt, schema } = options;
  return database.transaction({ begin: ["BEGIN"], timeout: TIMEOUT_MS }, async (session) => {
    const types = await columnTypes(session, adopt);
    refuseMapping(adopt, types);
    await refuseTwins(session, adopt);
    const [row] = await session.all("SELECT to_regclass($1) IS NOT NULL AS there", [
      notes(options),
    ]);
    if (row?.there !== true) {
      if (!adopt.install) throw notInstalled(options);
      await session.all(captureSql(options));
    }
    const [usable] = await session.all(
      `SELECT has_schema_privilege($1, 'USAGE') AND has_table_privilege($2, 'SELECT, DELETE') AS may`,
      [schema, notes(options)],
    );
    if (usable?.may === true) return types.get(adopt.columns.id) ?? "text";
    const next = `GRANT USAGE ON SCHEMA ${quoted(schema)}, SELECT and DELETE ON ${notes(options)}.`;
    throw unavailable(`the notes of table ${adopt.table} are not open to this user`, next);
  });
}

function notInstalled(options: CaptureOptions) {
  return unavailable(
    `nothing notes the changes of table ${options.adopt.table}`,
    "Write install: true under `adopt`, or let an administrator do it: see docs/pgvector.md.",
  );
}

/** By column. */
async function columnTypes(session: Session, adopt: AdoptSpec): Promise<Map<string, string>> {
  const rows = await session.all(
    `SELECT attname, format_type(atttypid, NULL) AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [tableName(adopt)],
  );
  if (rows.length > 0) return new Map(rows.map((row) => [String(row.attname), String(row.type)]));
  const next = "Correct `table`, or let this user see it.";
  throw unavailable(`there is no table ${adopt.table} to adopt`, next);
}

const TYPES: Readonly<Record<string, RegExp>> = {
  vector: /(^|\.)vector$/,
  labels: /^(text|character varying)\[\]$/,
  payload: /^jsonb?$/,
};

function refuseMapping({ table, columns, embedding }: AdoptSpec, types: Map<string, string>): void {
  for (const [name, column] of Object.entries(columns)) {
    const type = column === undefined ? undefined : types.get(column);
    if (column === undefined || (type !== undefined && (TYPES[name]?.test(type) ?? true))) continue;
    const fault = type === undefined ? "is no column" : `has type ${type}`;
    const next = `Correct adopt.columns.${name}; the columns are ${[...types.keys()].join(", ")}.`;
    throw unavailable(`column ${column} of table ${table} ${fault}`, next);
  }
  if (columns.embedding !== undefined || embedding !== undefined) return;
  throw unavailable(
    `nothing says which embedding version made the vectors of table ${table}`,
    "Add adopt.embedding, or adopt.columns.embedding.",
  );
}

/** Of two rows with one id, neither would be the document. */
async function refuseTwins(session: Session, adopt: AdoptSpec): Promise<void> {
  const [row] = await session.all(
    `SELECT EXISTS (
       SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
       WHERE indrelid = to_regclass($1) AND attname = $2 AND indnkeyatts = 1
         AND indisunique AND indpred IS NULL
     ) AS is_unique`,
    [tableName(adopt), adopt.columns.id],
  );
  if (row?.is_unique === true) return;
  const next = "Map the primary key, or add a unique index on the column.";
  throw unavailable(`column ${adopt.columns.id} of table ${adopt.table} is not unique`, next);
}

/** The SQL that an administrator may run instead of `install`, with its names filled in. */
export function captureSql({ schema, index, adopt }: CaptureOptions): string {
  const text = readFileSync(new URL("./sql/capture.sql", import.meta.url), "utf8");
  const names = text
    .replaceAll(/:"notes(\w*)"/g, (_, part: string) => quoted(`tideover_${index}${part}`))
    .replaceAll(':"id"', () => quoted(adopt.columns.id))
    .replaceAll(":table", () => tableName(adopt))
    .replaceAll(":schema", () => quoted(schema));
  return `CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}; SET LOCAL search_path = ${quoted(schema)};
${names}`;
}

function notes({ schema, index }: CaptureOptions): string {
  return `${quoted(schema)}.${quoted(`tideover_${index}`)}`;
}

function tableName({ table }: AdoptSpec): string {
  const [first = "", second] = table.split(".");
  return second === undefined ? `public.${quoted(first)}` : `${quoted(first)}.${quoted(second)}`;
}

/** Each noted id once, with its notes and its row, as they all were at that time. */
interface Due {
  readonly rows: readonly Row[];
  readonly now: number;
}

async function look(
  session: Session,
  options: CaptureOptions,
  idType: string,
  limit: number,
): Promise<Due> {
  const { columns, embedding } = options.adopt;
  const column = (name: keyof typeof columns, otherwise = "NULL"): string => {
    const own = columns[name];
    return own === undefined ? otherwise : `t.${quoted(own)}`;
  };
  // A function of the extension, wherever that is.
  const [extension] = await session.all(
    `SELECT nspname, extract(epoch FROM now()) * 1000 AS now FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
     WHERE extname = 'vector'`,
  );
  const vector = `${quoted(String(extension?.nspname))}.vector_send(${column("vector")})`;
  const rows = await session.all(
    `WITH due AS (SELECT n, id, at FROM ${notes(options)} ORDER BY n LIMIT $1),
       ids AS (SELECT id, min(n) AS first, array_agg(n) AS notes, max(at) AS at FROM due GROUP BY id)
     SELECT ids.id, ids.notes, extract(epoch FROM ids.at) * 1000 AS source_time,
       t.${quoted(columns.id)} IS NOT NULL AS there,
       ${column("audience")}::text AS audience, ${column("title")}::text AS title,
       ${column("text")}::text AS text, ${vector} AS vector,
       ${column("labels", "'{}'")}::text[] AS labels,
       ${column("payload", "'{}'")}::text AS payload,
       ${column("embedding", literal(embedding ?? ""))}::text AS embedding
     FROM ids LEFT JOIN ${tableName(options.adopt)} t ON t.${quoted(columns.id)} = ids.id::${idType}
     ORDER BY ids.first`,
    [limit],
  );
  return { rows, now: Math.floor(Number(extension?.now)) };
}

async function forget(
  database: Database,
  options: CaptureOptions,
  taken: readonly number[],
): Promise<void> {
  await database.transaction({ begin: ["BEGIN"], timeout: TIMEOUT_MS }, async (session) => {
    await session.all(`DELETE FROM ${notes(options)} WHERE n = ANY ($1::bigint[])`, [
      bigints(taken),
    ]);
  });
}

function batchOf(
  { rows, now }: Due,
  { adopt }: CaptureOptions,
  limit: number,
  forget: (notes: readonly number[]) => Promise<void>,
): SourceBatch {
  const judged = rows.map(changeOf);
  const taken = rows.flatMap(({ notes }) => (Array.isArray(notes) ? notes.map(Number) : []));
  return {
    changes: judged.flatMap(({ change }) => change ?? []),
    refused: judged.flatMap(({ fault, id }) => {
      return fault === null ? [] : [`row ${id} of table ${adopt.table} ${fault}`];
    }),
    levelAt: taken.length < limit ? now : null,
    taken: () => forget(taken),
  };
}

interface Judged {
  readonly id: string;
  readonly change: EmbeddedChange | null;
  readonly fault: string | null;
}

/** A row that no index can hold is nowhere to be found: better than as it was before. */
function changeOf(row: Row): Judged {
  const id = String(row.id);
  const sourceTime = Math.floor(Number(row.source_time));
  const fault = row.there === true ? faultOf(row) : null;
  if (id === "" || id.length > 256) return { id, change: null, fault: "has an id of no use" };
  const none = { title: "", text: "", audience: "", labels: [], payload: {}, vector: "" };
  const gone = { ...none, op: "delete" as const, id, sourceTime, embedding: "" };
  if (row.there !== true || fault !== null) return { id, change: gone, fault };
  return {
    id,
    fault,
    change: {
      op: "upsert",
      id,
      sourceTime,
      title: String(row.title ?? ""),
      text: String(row.text ?? ""),
      audience: String(row.audience),
      labels: sortedLabels(labelsOf(row)),
      payload: payloadOf(row) ?? {},
      embedding: String(row.embedding),
      vector: Buffer.from(vectorBytes(row.vector)).toString("base64"),
    },
  };
}

/** Whom a document is for is never guessed: without audience, or with a label that says nothing. */
function faultOf(row: Row): string | null {
  if (row.audience === null || row.audience === "") return "has no audience";
  if (row.vector === null) return "has no vector";
  if (row.embedding === null || row.embedding === "") return "has no embedding version";
  if (labelsOf(row).some((label) => label === "")) return "has an empty label";
  if (payloadOf(row) === null) return "has a payload that is no object";
  return null;
}

function labelsOf({ labels }: Row): string[] {
  return Array.isArray(labels) ? labels.map((label) => String(label ?? "")) : [];
}

function payloadOf({ payload }: Row) {
  if (payload === null) return {};
  const parsed = payloadSchema.safeParse(JSON.parse(String(payload)));
  return parsed.success ? parsed.data : null;
}
