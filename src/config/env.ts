import { TideoverError } from "../lib/errors.ts";
import { didYouMean } from "./did-you-mean.ts";

/**
 * Tideover's own variables, read once at the start and judged. Beside them only the keys that a
 * spec names (`keyEnv`, `digestKeyEnv`) are looked up, where a role is composed.
 */
export interface Environment {
  /** TIDEOVER_SPEC: the spec, when no --spec is given. */
  readonly spec: string | null;
  /** TIDEOVER_DATA: folder of all state; null when the command shall choose one. */
  readonly dataDir: string | null;
  /** TIDEOVER_TOKEN: secret that opens the control API and the agents; null when not set. */
  readonly token: string | null;
  /** COSIGN_PASSWORD: opens and makes encrypted private keys, as with cosign; null when not set. */
  readonly cosignPassword: string | null;
  /** TIDEOVER_DEBUG: show stack traces of faults in Tideover itself. */
  readonly debug: boolean;
  /** TIDEOVER_LOG: least level that is logged. */
  readonly logLevel: LogLevel;
  /** `never` by NO_COLOR, `always` by FORCE_COLOR, else `terminal`: only when stdout is one. */
  readonly colours: "never" | "always" | "terminal";
  /** CI: no progress lines that overwrite themselves, no questions. */
  readonly ci: boolean;
  /** Slips that do no harm, one sentence each, to be shown on stderr. */
  readonly warnings: readonly string[];
}

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const PREFIX = "TIDEOVER_";
/** Without their prefix, which would make any two of them look alike. */
const KNOWN = ["SPEC", "DATA", "TOKEN", "LOG", "DEBUG"];
const SHORTEST_TOKEN = 16;

type Variables = Readonly<Record<string, string | undefined>>;

/** Throws USAGE with the variable, what is wrong with it and what to set instead. */
export function readEnvironment(env: Variables): Environment {
  return Object.freeze({
    spec: readPath(env, "TIDEOVER_SPEC"),
    dataDir: readPath(env, "TIDEOVER_DATA"),
    token: readToken(given(env, "TIDEOVER_TOKEN")),
    // Set to nothing, it is a password: cosign's own for a key that needs none.
    cosignPassword: env.COSIGN_PASSWORD ?? null,
    debug: isOn(given(env, "TIDEOVER_DEBUG")),
    logLevel: readLogLevel(given(env, "TIDEOVER_LOG")),
    colours: readColours(env),
    ci: isOn(given(env, "CI")),
    warnings: Object.freeze(strangers(env)),
  });
}

/** `TIDEOVER_TOKEN= tideover up` means "not set", as in a shell. */
function given(env: Variables, name: string): string | null {
  const value = env[name];
  return value === undefined || value === "" ? null : value;
}

function readPath(env: Variables, name: string): string | null {
  const value = given(env, name);
  if (value === null || value.trim() === value) return value;
  throw usage(
    `${name} is "${value}", with white space at an end.`,
    `Set ${name} to the path alone.`,
  );
}

/** The value itself is never shown: it is a secret, and this text ends up in logs. */
function readToken(value: string | null): string | null {
  if (value === null) return null;
  if (value.length < SHORTEST_TOKEN)
    throw usage(
      `TIDEOVER_TOKEN has ${value.length} characters, too few to keep anyone out.`,
      `Set TIDEOVER_TOKEN to at least ${SHORTEST_TOKEN} characters, such as from: openssl rand -hex 16`,
    );
  // It travels in an HTTP header, which would break at a line end or a character beyond ASCII.
  if (!/^[\x21-\x7e]+$/.test(value))
    throw usage(
      "TIDEOVER_TOKEN holds a space, a line end or a character beyond ASCII.",
      "Set TIDEOVER_TOKEN to letters, digits and signs only.",
    );
  return value;
}

function readLogLevel(value: string | null): LogLevel {
  if (value === null) return "info";
  const level = LOG_LEVELS.find((known) => known === value.toLowerCase());
  if (level !== undefined) return level;
  const near = didYouMean(value, LOG_LEVELS);
  throw usage(
    `TIDEOVER_LOG is "${value}", which is no level.`,
    `Set TIDEOVER_LOG to ${near ?? `one of ${LOG_LEVELS.join(", ")}`}.`,
  );
}

/** NO_COLOR wins: whoever set it cannot read colours. */
function readColours(env: Variables): Environment["colours"] {
  if (given(env, "NO_COLOR") !== null) return "never";
  const forced = given(env, "FORCE_COLOR");
  if (forced === null) return given(env, "TERM") === "dumb" ? "never" : "terminal";
  return forced === "0" || forced === "false" ? "never" : "always";
}

function isOn(value: string | null): boolean {
  return value !== null && !["0", "false", "no"].includes(value.toLowerCase());
}

/** A misspelt name is otherwise silent: the estate would run with another folder than was meant. */
function strangers(env: Variables): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !KNOWN.includes(name.slice(PREFIX.length)))
    .flatMap((name) => {
      const near = didYouMean(name.slice(PREFIX.length), KNOWN);
      return near === undefined ? [] : [`${name} is not read; did you mean ${PREFIX}${near}?`];
    });
}

function usage(message: string, next: string): TideoverError {
  return new TideoverError(message, { code: "USAGE", next });
}
