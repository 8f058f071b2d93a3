import { dirname, resolve } from "node:path";
import { openLanceIndex } from "../adapters/index-lancedb/index.ts";
import { isLocal } from "../adapters/index-lancedb/options.ts";
import { openPgvectorIndex } from "../adapters/index-pgvector/index.ts";
import { openSqliteIndex } from "../adapters/index-sqlite/index.ts";
import type { HnswSpec } from "../model/index-engine.ts";
import type { IndexStore } from "../ports/index.ts";
import { readDigestKey } from "./digest-key.ts";
import type { Estate } from "./estate.ts";
import { indexSchema, readIndexUrl } from "./index-server.ts";

/** Where one of a region's indexes is, and the key of its digests. Plain data: it crosses threads. */
export type IndexPlace = (FilePlace | LancePlace | ServerPlace) & {
  readonly digestKey?: Uint8Array;
};

interface FilePlace {
  readonly engine: "sqlite";
  readonly path: string;
}

interface LancePlace {
  readonly engine: "lancedb";
  /** Log, position and sums. */
  readonly path: string;
  /** The records: a folder, or the address of one in object storage. */
  readonly folder: string;
}

interface ServerPlace {
  readonly engine: "pgvector";
  /** With its password: not for messages. */
  readonly url: string;
  readonly schema: string;
  readonly copy: string;
  readonly reader?: string;
  readonly hnsw?: HnswSpec;
}

/** A region's copies of every index of the spec. Only the agent opens them to write. */
export async function openIndexes(
  estate: Estate,
  region: string,
  { readOnly }: { readonly readOnly: boolean },
): Promise<Map<string, IndexStore>> {
  return openIndexFiles(indexPlaces(estate, region), { readOnly });
}

/**
 * By name. Throws USAGE when the key of an index's digests, or the connection string of the
 * region's server, is not in the environment.
 */
export function indexPlaces(estate: Estate, region: string): Map<string, IndexPlace> {
  const places = Object.entries(estate.spec.indexes).map(([name, { digestKeyEnv }]) => {
    const place = placeOf(estate, region, name);
    if (digestKeyEnv === undefined) return [name, place] as const;
    return [name, { ...place, digestKey: readDigestKey(name, digestKeyEnv, process.env) }] as const;
  });
  return new Map<string, IndexPlace>(places);
}

function placeOf(estate: Estate, region: string, name: string): IndexPlace {
  const part = estate.spec.regions[region]?.components.index;
  if (part?.engine === "lancedb") return lancePlace(estate, region, name, part.folder);
  if (part?.engine !== "pgvector") {
    return { engine: "sqlite", path: estate.data.region(region).index(name) };
  }
  const { urlEnv = "", schema, reader, hnsw } = part;
  return {
    engine: "pgvector",
    url: readIndexUrl(region, urlEnv, process.env),
    schema: indexSchema(schema, name),
    copy: `${estate.spec.estate}/${region}/${name}`,
    ...(reader === undefined ? {} : { reader }),
    ...(hnsw === undefined ? {} : { hnsw }),
  };
}

function lancePlace(
  { data, specPath }: Estate,
  region: string,
  name: string,
  folder: string | undefined,
): LancePlace {
  const { lance, lanceLedger } = data.region(region);
  const [own, path] = [lance(name), lanceLedger(name)];
  if (folder === undefined) return { engine: "lancedb", path, folder: own };
  if (isLocal({ folder })) {
    return { engine: "lancedb", path, folder: resolve(dirname(specPath), folder, region, name) };
  }
  return { engine: "lancedb", path, folder: `${folder.replace(/\/+$/, "")}/${region}/${name}` };
}

/** The keys of those indexes that have one: whoever looks for damage computes digests, too. */
export function digestKeys(estate: Estate, region: string): Map<string, Uint8Array> {
  const keys = [...indexPlaces(estate, region)].flatMap(([name, { digestKey }]) =>
    digestKey === undefined ? [] : [[name, digestKey] as const],
  );
  return new Map(keys);
}

export async function openIndexFiles(
  places: ReadonlyMap<string, IndexPlace>,
  { readOnly }: { readonly readOnly: boolean },
): Promise<Map<string, IndexStore>> {
  const indexes = new Map<string, IndexStore>();
  for (const [name, place] of places) indexes.set(name, await openIndex(place, readOnly));
  return indexes;
}

function openIndex(place: IndexPlace, readOnly: boolean): Promise<IndexStore> {
  if (place.engine === "sqlite") return openSqliteIndex({ ...place, readOnly });
  if (place.engine === "lancedb") return openLanceIndex({ ...place, readOnly });
  const { digestKey, ...rest } = place;
  return openPgvectorIndex({ ...rest, readOnly, ...(digestKey ? { key: digestKey } : {}) });
}
