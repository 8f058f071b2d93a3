import { once } from "node:events";
import { after } from "node:test";
import { Worker } from "node:worker_threads";
import { Client } from "pg";
import type { IndexStore } from "../../ports/index.ts";
import { openPgvectorIndex } from "./index.ts";
import type { PgvectorOptions } from "./options.ts";

/**
 * One server for all tests of a file. Everybody is the user `agent`, who is no superuser and owns
 * what it makes: a superuser would see past every policy, and prove nothing.
 */
export interface Server {
  readonly url: string;
  /** Runs SQL as a superuser, and gives the last statement's rows. */
  sql(text: string): Promise<Record<string, unknown>[]>;
  /** Everybody is this user while `work` runs. */
  as<T>(user: string, work: () => Promise<T>): Promise<T>;
  /** Settings of the planner's, for everybody until they are set again. */
  plan(settings: string): Promise<void>;
  /** Opens an index; a schema of its own, unless told. Closed at the end of the file. */
  open(options?: Partial<PgvectorOptions>): Promise<IndexStore>;
  /** A name that no other index has. */
  schema(): string;
  /** Of an index that `open` gave. */
  schemaOf(index: IndexStore): string;
}

/** Starts when it is first asked for. */
export function pgliteServer(): () => Promise<Server> {
  let started: Promise<Server> | null = null;
  const ends: (() => Promise<unknown>)[] = [];
  after(async () => {
    await started;
    for (const end of ends.reverse()) await end();
  });
  return () => {
    started ??= start(ends);
    return started;
  };
}

async function start(ends: (() => Promise<unknown>)[]): Promise<Server> {
  const worker = new Worker(new URL("./pglite-server.fixture.ts", import.meta.url));
  ends.push(() => worker.terminate());
  const [port] = await once(worker, "message");
  const url = `postgres://postgres:secret-word@127.0.0.1:${port}/postgres`;
  const client = new Client({ connectionString: url });
  await client.connect();
  ends.push(() => client.end());
  await client.query(SETUP);
  let schemas = 0;
  const names = new WeakMap<IndexStore, string>();
  const schema = (): string => `t${schemas++}`;
  return {
    url,
    schema,
    schemaOf: (index) => names.get(index) ?? "",
    sql: async (text) => {
      // The server has one session, so that this counts for whoever comes next.
      const result: unknown = await client.query(
        `SET SESSION AUTHORIZATION postgres; ${text}; RESET ALL; RESET ROLE; SET SESSION AUTHORIZATION agent`,
      );
      return rowsOf(Array.isArray(result) ? result.at(-4) : null);
    },
    as: async (user, work) => {
      // One text: `agent` alone may not become another.
      const become = (name: string) =>
        client.query(`SET SESSION AUTHORIZATION postgres; SET SESSION AUTHORIZATION ${name}`);
      await become(user);
      return work().finally(() => become("agent"));
    },
    plan: async (settings) => {
      await client.query(settings);
    },
    open: async (options = {}) => {
      const own = { url, schema: schema(), connections: 2, ...options };
      const index = await openPgvectorIndex(own);
      names.set(index, own.schema);
      ends.push(() => index.close());
      return index;
    },
  };
}

/** What docs/pgvector.md asks of a database administrator. */
const SETUP = `
  CREATE EXTENSION vector;
  CREATE ROLE tideover_reader NOLOGIN;
  CREATE ROLE agent LOGIN;
  GRANT tideover_reader TO agent;
  GRANT CREATE, TEMPORARY ON DATABASE postgres TO agent;
  SET SESSION AUTHORIZATION agent`;

function rowsOf(result: unknown): Record<string, unknown>[] {
  if (typeof result !== "object" || result === null || !("rows" in result)) return [];
  return Array.isArray(result.rows) ? result.rows : [];
}
