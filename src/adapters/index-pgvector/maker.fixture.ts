import { type Damage, type IndexMaker, upsert } from "../../../test/contract/index-support.ts";
import type { IndexStore } from "../../ports/index.ts";
import type { PgvectorOptions } from "./options.ts";
import type { Server } from "./pglite.fixture.ts";

const DAMAGES: Readonly<Record<Damage, string>> = {
  text: "UPDATE records SET text = 'damaged'",
  vector: "UPDATE records SET vector = '[0,0,1]'",
  audience: "UPDATE records SET audience = 'bolt'",
  lost: "DELETE FROM records",
};

/** What the contract needs. `server`: as `pgliteServer` gives it. */
export function makerOn(
  server: () => Promise<Server>,
  options: Partial<PgvectorOptions>,
): () => Promise<IndexMaker> {
  return async () => {
    const { url, open, schema, schemaOf, sql } = await server();
    const spoiled = async (): Promise<IndexStore> => {
      const index = await open(options);
      await index.append(1, [upsert("a")]);
      await sql(`DROP SCHEMA ${schemaOf(index)} CASCADE`);
      return index;
    };
    const damage = async (index: IndexStore, id: string, how: Damage): Promise<void> => {
      await sql(`SET search_path = ${schemaOf(index)}, public; ${DAMAGES[how]} WHERE id = '${id}'`);
    };
    const durable = {
      module: new URL("./index.ts", import.meta.url).href,
      open: "openPgvectorIndex",
      place: async () => ({ url, schema: schema(), connections: 1, ...options }),
      reopen: (place: unknown) => open(place as PgvectorOptions),
    };
    const fresh = (): Promise<IndexStore> => open(options);
    return { fresh, keyed: (key) => open({ ...options, key }), spoiled, damage, durable };
  };
}
