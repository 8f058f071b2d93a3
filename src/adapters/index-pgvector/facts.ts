import { sha256 } from "../../lib/canonical.ts";
import type { IndexFacts } from "../../model/index-health.ts";
import { severalVectors } from "../../model/vectors.ts";
import { quoted, type Session } from "./database.ts";
import { graphOptions, MOST_GRAPH_DIMENSIONS, optionsText, placesIn } from "./graph.ts";
import { sqlText } from "./migrate.ts";
import { DEFAULT_READER, type PgvectorOptions } from "./options.ts";
import type { Meta } from "./rows.ts";

/**
 * See IndexStore.facts. Give it a transaction that is taken back: it makes a table with our
 * policies, so that the server itself tells how it would write them.
 */
export async function facts(
  session: Session,
  meta: Meta,
  options: PgvectorOptions,
): Promise<IndexFacts> {
  const policies = await policyFaults(session, options);
  const graphs = await graphOptions(session);
  return {
    engine: "pgvector",
    approximate: options.hnsw !== undefined,
    tenantGuard: "row-level-security",
    settings: await settingsOf(session, meta, options),
    faults: [
      ...(await tableFaults(session)),
      ...policies,
      ...graphFaults(meta, graphs, options),
      // The last: from here on the transaction is the reader's.
      ...(await roleFaults(session, options)),
    ],
  };
}

async function settingsOf(
  session: Session,
  { held }: Meta,
  { hnsw, key }: PgvectorOptions,
): Promise<Record<string, string>> {
  const [row] = await session.all("SELECT extversion FROM pg_extension WHERE extname = 'vector'");
  const index = hnsw === undefined ? "exact" : `hnsw (${optionsText(hnsw)})`;
  const search =
    hnsw === undefined
      ? {}
      : { search: `ef_search=${hnsw.efSearch}, max_scan_tuples=${hnsw.maxScanTuples}` };
  return {
    index,
    ...search,
    distance: "cosine",
    digests: key === undefined ? "plain" : "keyed",
    dimensions: dimensionsText(held),
    pgvector: String(row?.extversion),
    // Of the text as shipped: how a server prints it back depends on its version.
    policies: sha256(sqlText("sql/policies", "records", { url: "", schema: "" })).slice(0, 23),
  };
}

function dimensionsText(held: Meta["held"]): string {
  const models = held.flatMap((one) => severalVectors(one.embedding) ?? [versionOf(one)]);
  const texts = models.map(({ version, dimensions }) => `${version}: ${dimensions}`);
  return [...new Set(texts)].sort().join(", ");
}

function versionOf({ embedding, dimensions }: Meta["held"][number]) {
  return { version: embedding, dimensions };
}

const KINDS: Readonly<Record<string, string>> = { v: "a view", m: "a materialized view" };

async function tableFaults(session: Session): Promise<string[]> {
  const [row] = await session.all(
    `SELECT relkind, relrowsecurity AS enabled, relforcerowsecurity AS forced
     FROM pg_class WHERE oid = 'records'::regclass`,
  );
  const kind = String(row?.relkind);
  if (kind !== "r")
    return [`\`records\` is ${KINDS[kind] ?? "no table"}: it has no policies of its own`];
  return [
    ...(row?.enabled === true ? [] : ["row-level security of `records` is not enabled"]),
    ...(row?.forced === true ? [] : ["row-level security of `records` is not forced on its owner"]),
  ];
}

/** Policies are joined by OR: one too many opens as much as one that says too little. */
async function policyFaults(session: Session, options: PgvectorOptions): Promise<string[]> {
  await session.all("CREATE TEMP TABLE tideover_reference (LIKE records)");
  await session.all(sqlText("sql/policies", "tideover_reference", options));
  const [own, wanted] = [
    await policiesOf(session, "records"),
    await policiesOf(session, "tideover_reference"),
  ];
  const strangers = [...own.keys()].filter((name) => !wanted.has(name));
  return [
    ...[...wanted].flatMap(([name, text]) => {
      if (!own.has(name)) return [`policy ${name} of \`records\` is missing`];
      return own.get(name) === text ? [] : [`policy ${name} of \`records\` is not as it was made`];
    }),
    ...strangers.map((name) => `policy ${name} of \`records\` is not Tideover's`),
  ];
}

async function policiesOf(session: Session, table: string): Promise<Map<string, string>> {
  const rows = await session.all(
    `SELECT polname, polcmd, polpermissive,
       CASE WHEN polname = 'tideover_write' THEN '' ELSE polroles::regrole[]::text END AS roles,
       pg_get_expr(polqual, polrelid) AS qual, pg_get_expr(polwithcheck, polrelid) AS checks
     FROM pg_policy WHERE polrelid = $1::regclass`,
    [table],
  );
  return new Map(rows.map(({ polname, ...rest }) => [String(polname), JSON.stringify(rest)]));
}

function graphFaults(
  { held }: Meta,
  graphs: ReadonlyMap<string, string>,
  { hnsw }: PgvectorOptions,
): string[] {
  if (hnsw === undefined) return [];
  const vectors = placesIn(held);
  const large = vectors.filter(({ dimensions }) => dimensions > MOST_GRAPH_DIMENSIONS);
  const lacks = vectors.length > large.length && graphs.size === 0;
  return [
    ...large.map(({ embedding, dimensions }) => {
      return `${embedding} has ${dimensions} dimensions, and HNSW takes ${MOST_GRAPH_DIMENSIONS}`;
    }),
    ...(lacks ? ["the HNSW index is missing: every search compares every record"] : []),
    ...[...graphs]
      .filter(([, text]) => text !== optionsText(hnsw))
      .map(([name, text]) => `HNSW index ${name} was built with ${text || "other parameters"}`),
  ];
}

/** Who a search runs as must be bound by the policies, and must not reach the same texts elsewhere. */
async function roleFaults(session: Session, { reader }: PgvectorOptions): Promise<string[]> {
  await session.all(`SET LOCAL ROLE ${quoted(reader ?? DEFAULT_READER)}`);
  const [row] = await session.all(
    `SELECT current_user AS name, rolsuper AS super, rolbypassrls AS bypasses,
       pg_has_role(relowner, 'MEMBER') AS owns,
       row_security_active('records'::regclass) AS bound,
       (SELECT string_agg(t, ', ') FROM unnest(ARRAY['log', 'undo', 'orphans']) t
        WHERE has_table_privilege(t, 'SELECT')) AS reads
     FROM pg_class, pg_roles WHERE pg_class.oid = 'records'::regclass AND rolname = current_user`,
  );
  const role = `the role of searches, ${String(row?.name)},`;
  const bound = row?.bound === true || row?.super === true || row?.bypasses === true;
  return [
    ...(row?.super === true ? [`${role} is a superuser: no policy binds it`] : []),
    ...(row?.bypasses === true ? [`${role} has BYPASSRLS: no policy binds it`] : []),
    ...(row?.owns === true ? [`${role} owns \`records\`, or may become its owner`] : []),
    ...(bound ? [] : [`row-level security does not bind ${role} now`]),
    ...(row?.reads === null
      ? []
      : [`${role} may read ${String(row?.reads)}, which has no policies`]),
  ];
}
