import { readFileSync } from "node:fs";
import { type DigestKey, rangeKey } from "../../core/reconcile/digest.ts";
import { type Database, literal, quoted, type Session } from "./database.ts";
import { DEFAULT_READER, type PgvectorOptions } from "./options.ts";
import { type Place, unavailable } from "./trouble.ts";

/** In order; the number of one is its place here, from 1. A released one is never changed. */
const MIGRATIONS = ["001-tables", "002-log-marks"] as const;

/** The first pgvector whose graph goes on walking until a filter has let k records through. */
const ITERATIVE_SCANS = "0.8.0";

const CHANGE = { begin: ["BEGIN"], timeout: 60_000 };
const LOOK = { begin: ["BEGIN READ ONLY"], timeout: 10_000 };

/** What SQL needs to know of a schema that is ready. */
export interface Ready {
  /** `SET LOCAL search_path = …`: the schema's own tables, and where the extension's types are. */
  readonly searchPath: string;
}

/**
 * Makes the schema what this version of ours works on: several processes may try at once, and a
 * second time changes nothing. Throws INDEX_UNAVAILABLE for a schema of a newer version, a database
 * without pgvector, and rights that lack.
 */
export async function migrate(database: Database, options: PgvectorOptions): Promise<Ready> {
  return database.transaction(CHANGE, async (session) => {
    const found = await look(session, options);
    refuseNewer(database.place, found);
    if (found.version === MIGRATIONS.length)
      return admitted(session, database.place, found, options);
    // One at a time in the whole database: roles and extensions are not the schema's own.
    await session.all("SELECT pg_advisory_xact_lock(hashtextextended('tideover:migrate', 0))");
    await prepare(session, database.place, options);
    const now = await look(session, options);
    await session.all(ready(database.place, now, options).searchPath);
    for (let version = now.version; version < MIGRATIONS.length; version++) {
      await migrateOne(session, options, version);
    }
    return admitted(session, database.place, now, options);
  });
}

/** For who writes: throws INDEX_UNAVAILABLE when it is not his to write. */
async function admitted(
  session: Session,
  place: Place,
  found: Found,
  options: PgvectorOptions,
): Promise<Ready> {
  const state = ready(place, found, options);
  await session.all(state.searchPath);
  await refuseBlind(session, place);
  const [{ copy, mark } = { copy: null, mark: null }] = await session.all(
    "SELECT copy, key_mark AS mark FROM meta",
  );
  if (mark === null || (copy === null && options.copy !== undefined)) {
    await session.all(
      "UPDATE meta SET copy = coalesce(copy, $1), key_mark = coalesce(key_mark, $2)",
      [options.copy ?? null, keyMark(options.key)],
    );
  }
  await refuseOther(session, place, options);
  return state;
}

/** Throws INDEX_UNAVAILABLE for another region's copy, and for one whose digests have another key. */
async function refuseOther(
  session: Session,
  { name }: Place,
  { copy, key }: PgvectorOptions,
): Promise<void> {
  const [row] = await session.all("SELECT copy, key_mark AS mark FROM meta");
  if (row?.mark !== keyMark(key)) {
    throw unavailable(
      `index in ${name} was made with another digest key`,
      "Set the key that its `digestKeyEnv` had, or let the agent fill a new schema.",
    );
  }
  if (copy === undefined || row.copy === copy) return;
  throw unavailable(
    `index in ${name} is the copy ${row.copy ?? "of nobody yet"}, and was opened as ${copy}`,
    "Give each region a database or a `schema` of its own.",
  );
}

function keyMark(key: DigestKey): string {
  return rangeKey("which key is this?", key).toString(16);
}

/**
 * Throws INDEX_UNAVAILABLE for a user whom the policies let see his own documents only, or none:
 * to him every record would look lost, and what he writes would be wrong without a word.
 */
export async function refuseBlind(session: Session, { name }: Place): Promise<void> {
  const [row] = await session.all(
    `SELECT current_user AS who, EXISTS (
       SELECT FROM pg_policy, unnest(polroles) AS role
       WHERE polrelid = 'records'::regclass AND polname = 'tideover_write'
         AND pg_has_role(role, 'USAGE')
     ) AS sees`,
  );
  if (row?.sees === true) return;
  throw unavailable(
    `user ${row?.who} does not see all records of the index in ${name}`,
    "Use the user who made the tables, or a member of his role: see docs/pgvector.md.",
  );
}

/** For who only reads: throws INDEX_UNAVAILABLE unless `migrate` has been here. */
export async function inspect(database: Database, options: PgvectorOptions): Promise<Ready> {
  const { place } = database;
  return database.transaction(LOOK, async (session) => {
    const found = await look(session, options);
    refuseNewer(place, found);
    if (found.version === MIGRATIONS.length) {
      const state = ready(place, found, options);
      await session.all(state.searchPath);
      await refuseOther(session, place, options);
      return state;
    }
    const next = "Start this region's agent: it makes the tables and fills them.";
    throw unavailable(`index in ${place.name} does not exist yet`, next);
  });
}

interface Found {
  /** 0: there is nothing of ours. */
  readonly version: number;
  /** null: pgvector is not installed in this database. */
  readonly extension: { readonly schema: string; readonly version: string } | null;
  readonly encoding: string;
}

async function look(session: Session, { schema }: PgvectorOptions): Promise<Found> {
  const table = `${quoted(schema)}.migrations`;
  const [row] = await session.all(
    `SELECT CASE WHEN has_schema_privilege(nspname, 'USAGE')
       THEN to_regclass($1) IS NOT NULL END AS there
     FROM pg_namespace WHERE nspname = $2`,
    [table, schema],
  );
  const [version] =
    row?.there === true ? await session.all(`SELECT max(version) AS version FROM ${table}`) : [];
  const [extension] = await session.all(
    `SELECT extversion, nspname FROM pg_extension
     JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'vector'`,
  );
  const [encoding] = await session.all("SELECT current_setting('server_encoding') AS encoding");
  return {
    version: Number(version?.version ?? 0),
    extension:
      extension === undefined
        ? null
        : { schema: String(extension.nspname), version: String(extension.extversion) },
    encoding: String(encoding?.encoding),
  };
}

function refuseNewer(place: Place, { version }: Found): void {
  if (version <= MIGRATIONS.length) return;
  throw unavailable(
    `index in ${place.name} has version ${version}, and this program knows up to ${MIGRATIONS.length}`,
    "Run the newer Tideover that made it, or keep the index in another schema.",
  );
}

function ready(place: Place, found: Found, { schema, hnsw }: PgvectorOptions): Ready {
  const { extension, encoding } = found;
  if (extension === null) {
    throw unavailable(
      `index in ${place.name} lacks pgvector`,
      "Run CREATE EXTENSION vector there.",
    );
  }
  if (encoding !== "UTF8") {
    const next = "Keep the index in a database with ENCODING 'UTF8'.";
    throw unavailable(`index in ${place.name} has encoding ${encoding}, not UTF8`, next);
  }
  if (hnsw !== undefined && isBelow(extension.version, ITERATIVE_SCANS)) {
    throw unavailable(
      `index in ${place.name} has pgvector ${extension.version}; its graphs find too little behind a filter`,
      `Update pgvector to ${ITERATIVE_SCANS} or later, or leave \`hnsw\` out.`,
    );
  }
  const path = [schema, extension.schema].map(quoted).join(", ");
  return { searchPath: `SET LOCAL search_path = ${path}` };
}

function isBelow(version: string, least: string): boolean {
  const parts = (text: string): number[] => text.split(".").map(Number);
  const [have, want] = [parts(version), parts(least)];
  const at = want.findIndex((part, n) => part !== (have[n] ?? 0));
  return at !== -1 && (have[at] ?? 0) < (want[at] ?? 0);
}

/** What the tables stand on. Each is only made where it lacks, so that a DBA may do it instead. */
async function prepare(session: Session, place: Place, options: PgvectorOptions): Promise<void> {
  const { schema, reader = DEFAULT_READER } = options;
  const [there] = await session.all(
    `SELECT to_regnamespace($1) IS NOT NULL AS schema,
       EXISTS (SELECT FROM pg_roles WHERE rolname = $2) AS reader,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') AS extension`,
    [quoted(schema), reader],
  );
  const role = quoted(reader);
  const steps = [
    ["extension", "CREATE EXTENSION vector"],
    ["reader", `CREATE ROLE ${role} NOLOGIN; GRANT ${role} TO CURRENT_USER`],
    ["schema", `CREATE SCHEMA ${quoted(schema)}`],
  ] as const;
  for (const [name, statement] of steps) {
    if (there?.[name] !== true) await makeOrSayHow(session, place, statement);
  }
  await session.all(
    `CREATE TABLE IF NOT EXISTS ${quoted(schema)}.migrations (
       version integer PRIMARY KEY, name text NOT NULL,
       applied_at timestamptz NOT NULL DEFAULT now())`,
  );
}

async function makeOrSayHow(session: Session, place: Place, statement: string): Promise<void> {
  try {
    await session.all(statement);
  } catch (cause) {
    const next = `Let a database administrator run: ${statement};`;
    throw unavailable(`index in ${place.name} cannot be set up by this user`, next, cause);
  }
}

async function migrateOne(
  session: Session,
  options: PgvectorOptions,
  before: number,
): Promise<void> {
  const name = MIGRATIONS[before] ?? "";
  await session.all(sqlText(`migrations/${name}`, "records", options));
  if (before === 0) await guard(session, "records", options);
  await session.all(`INSERT INTO migrations VALUES (${before + 1}, ${literal(name)})`);
}

/** Gives a table of records its keys, its rights and its policies. */
export async function guard(
  session: Session,
  table: string,
  options: PgvectorOptions,
): Promise<void> {
  await session.all(sqlText("sql/guard", table, options));
  await session.all(sqlText("sql/policies", table, options));
}

/** One of our SQL files, with its names filled in as `psql -v` would. */
export function sqlText(file: string, table: string, options: PgvectorOptions): string {
  const names = { table, schema: options.schema, reader: options.reader ?? DEFAULT_READER };
  const text = readFileSync(new URL(`./${file}.sql`, import.meta.url), "utf8");
  return Object.entries(names).reduce(
    (sql, [name, value]) => sql.replaceAll(`:"${name}"`, () => quoted(value)),
    text,
  );
}
