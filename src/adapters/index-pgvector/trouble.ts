import { messageOf, TideoverError } from "../../lib/errors.ts";

/** Where an index is, as far as a message may say it: never with user or password. */
export interface Place {
  /** `database app at db.example:5432, schema tideover_handbook`. */
  readonly name: string;
  /** What must not be shown even when a library does. */
  readonly secret: string;
}

/**
 * Throws INDEX_UNAVAILABLE when this is no connection string. Its text is not repeated: whatever it
 * is, the password is likely in it.
 */
export function placeOf(url: string, schema: string): Place {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol)) {
    throw unavailable(
      "the connection string of the index is none",
      "Write postgres://USER:PASSWORD@HOST:PORT/DATABASE into the variable that `urlEnv` names.",
    );
  }
  const database = decodeURIComponent(parsed.pathname.slice(1)) || "(default)";
  const host = parsed.host === "" ? "the local socket" : parsed.host;
  return {
    name: `database ${database} at ${host}, schema ${schema}`,
    secret: decodeURIComponent(parsed.password),
  };
}

export function unavailable(message: string, next: string, cause?: unknown): TideoverError {
  return new TideoverError(message, { code: "INDEX_UNAVAILABLE", retry: "later", next, cause });
}

/** What a person does about each SQLSTATE (or the beginning of one) and each fault of the network. */
const ADVICE: readonly (readonly [string, string])[] = [
  ["ECONNREFUSED", "Check that PostgreSQL runs there, and host and port in the connection string."],
  ["ENOTFOUND", "Check the host in the connection string."],
  ["28", "Check user and password in the connection string, and pg_hba.conf of the server."],
  ["3D000", "Create the database, or correct its name in the connection string."],
  ["42P01", "Restore the schema from a backup, or drop it and restart this region's agent."],
  [
    "3F000",
    "Restore the schema from a backup, or restart this region's agent: it fills a new one.",
  ],
  ["42501", "Give this role the rights that docs/pgvector.md lists."],
  ["22023", "Create the reader role, and grant it to this user: see docs/pgvector.md."],
  ["25006", "Point the connection string at the primary: this server only reads."],
  ["53100", "Free space on the server's disk."],
  ["53300", "Raise max_connections of the server, or lower `connections`."],
  ["57014", "Find out what slows the server down; more memory, or an HNSW index, may help."],
  ["58", "Look into the server's log."],
  ["XX", "Look into the server's log; the database may be damaged."],
];

/** Any fault of driver or server, in our words. What is ours already, and slips of callers, stay. */
export function explained(place: Place, error: unknown): unknown {
  if (error instanceof TideoverError || error instanceof RangeError) return error;
  const code = codeOf(error);
  const next = ADVICE.find(([start]) => code.startsWith(start))?.[1];
  const said = withoutSecret(place, messageOf(error));
  if (code === "54000") return tooLarge(said);
  return unavailable(
    `index in ${place.name} cannot be used: ${said}`,
    next ?? "Check the server, and the way to it.",
    // For us, by its SQLSTATE. A fault of the network may carry what it was given.
    /^[0-9A-Z]{5}$/.test(code) ? error : undefined,
  );
}

/** A limit of the engine, such as 16,000 dimensions: no time will mend it. */
function tooLarge(said: string): TideoverError {
  return new TideoverError(`PostgreSQL cannot hold one of the documents: ${said}`, {
    code: "CORPUS_INVALID",
    next: "Shorten what it names, or keep this index in another engine.",
  });
}

function withoutSecret({ secret }: Place, text: string): string {
  return secret === "" ? text : text.replaceAll(secret, "***");
}

/** SQLSTATE of the server, or Node's name of a network fault; empty when there is none. */
export function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
