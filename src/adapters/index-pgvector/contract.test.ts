import { indexContract } from "../../../test/contract/index.ts";
import type { IndexMaker } from "../../../test/contract/index-support.ts";
import { upsert } from "../../../test/contract/index-support.ts";
import type { IndexStore } from "../../ports/index.ts";
import { HNSW_DEFAULTS, type PgvectorOptions } from "./options.ts";
import { pgliteServer } from "./pglite.fixture.ts";

const server = pgliteServer();

function maker(options: Partial<PgvectorOptions>): () => Promise<IndexMaker> {
  return async () => {
    const { open, schema, sql } = await server();
    const spoiled = async (): Promise<IndexStore> => {
      const name = schema();
      const index = await open({ ...options, schema: name });
      await index.append(1, [upsert("a")]);
      await sql(`DROP SCHEMA ${name} CASCADE`);
      return index;
    };
    return { fresh: () => open(options), spoiled };
  };
}

indexContract("pgvector, exact", maker({}), { durable: false });
indexContract("pgvector, HNSW", maker({ hnsw: HNSW_DEFAULTS }), { durable: false });
