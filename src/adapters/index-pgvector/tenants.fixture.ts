import { upsert } from "../../../test/contract/index-support.ts";
import type { PgvectorOptions } from "./options.ts";
import type { Server } from "./pglite.fixture.ts";

export const TENANTS = [
  upsert("open"),
  upsert("acme", { audience: "acme" }),
  upsert("acme hr", { audience: "acme", labels: ["hr"] }),
  upsert("bolt", { audience: "bolt" }),
];

/** An index with documents of two tenants, and a way to write beside it. */
export async function tenantsIn(
  { open, schemaOf, sql }: Server,
  options: Partial<PgvectorOptions> = {},
) {
  const index = await open(options);
  await index.append(1, TENANTS);
  const schema = schemaOf(index);
  const beside = (text: string) => sql(`SET search_path = ${schema}, public; ${text}`);
  return { index, schema, beside };
}
