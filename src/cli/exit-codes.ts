import type { ErrorCode } from "../lib/errors.ts";

/** What the shell sees. The numbers are promised: scripts and pagers depend on them. */
export const EXIT = {
  ok: 0,
  /** It ran, and the answer is no: a drill failed, something is not ready. */
  failed: 1,
  /** The command or the spec is wrong; nothing was started or changed. */
  usage: 2,
  /** The estate, its store or a needed address is not to be had. */
  unavailable: 3,
  interrupted: 130,
} as const;

const USAGE_CODES: readonly ErrorCode[] = [
  "USAGE",
  "SPEC_MISSING",
  "SPEC_INVALID",
  "RELEASE_INVALID",
  "KEY_INVALID",
  "CORPUS_INVALID",
  "NOT_FOUND",
];
const UNAVAILABLE_CODES: readonly ErrorCode[] = [
  "PORT_TAKEN",
  "DISK_NOT_WRITABLE",
  "ESTATE_ALREADY_UP",
  "ESTATE_NOT_UP",
  "STORE_UNAVAILABLE",
  "PEER_UNAVAILABLE",
  "UNAUTHORIZED",
  "ARTIFACTS_UNAVAILABLE",
  "DISK_FULL",
];

export function exitCodeOf(code: ErrorCode): number {
  if (code === "INTERRUPTED") return EXIT.interrupted;
  if (USAGE_CODES.includes(code)) return EXIT.usage;
  return UNAVAILABLE_CODES.includes(code) ? EXIT.unavailable : EXIT.failed;
}

export const EXIT_CODES_HELP = `
Exit codes:
  0    it worked, and what was asked holds
  1    it ran, and the answer is no (a drill failed, a plan failed, something is not ready)
  2    the command, the spec, the release or the corpus is wrong; nothing was started or changed
  3    the estate, its store, its folder or a port is not to be had
  130  interrupted by Ctrl-C; everything that was started is stopped`;
