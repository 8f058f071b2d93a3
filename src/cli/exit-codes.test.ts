import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "../lib/errors.ts";
import { EXIT, EXIT_CODES_HELP, exitCodeOf } from "./exit-codes.ts";

/** Promised to scripts. A new code of the catalogue does not compile before it stands here. */
const PROMISED: Readonly<Record<ErrorCode, number>> = {
  USAGE: 2,
  SPEC_MISSING: 2,
  SPEC_INVALID: 2,
  RELEASE_INVALID: 2,
  KEY_INVALID: 2,
  RELEASE_UNSIGNED: 1,
  RELEASE_UNTRUSTED: 1,
  RELEASE_TAMPERED: 1,
  RELEASE_EXPIRED: 1,
  RELEASE_DOWNGRADED: 1,
  CORPUS_INVALID: 2,
  NOT_FOUND: 2,
  PORT_TAKEN: 3,
  DISK_NOT_WRITABLE: 3,
  ESTATE_ALREADY_UP: 3,
  ESTATE_NOT_UP: 3,
  STORE_UNAVAILABLE: 3,
  PEER_UNAVAILABLE: 3,
  UNAUTHORIZED: 3,
  ARTIFACTS_UNAVAILABLE: 3,
  DISK_FULL: 3,
  ARTIFACT_MISSING: 1,
  ARTIFACT_CORRUPT: 1,
  ARTIFACT_INVALID: 1,
  ARTIFACT_IN_USE: 1,
  INTERRUPTED: 130,
  STORE_CONFLICT: 1,
  LEASE_LOST: 1,
  EPOCH_STALE: 1,
  SNAPSHOT_REFUSED: 1,
  PLAN_INVALID: 1,
  STEP_FAILED: 1,
  NOT_READY: 1,
  INDEX_UNAVAILABLE: 1,
  INDEX_DIVERGED: 1,
  INDEX_CORRUPT: 1,
  INDEX_QUARANTINED: 1,
  DRILL_REFUSED: 1,
};

for (const [code, exit] of Object.entries(PROMISED)) {
  test(`${code} leaves with ${exit}`, () => {
    assert.equal(exitCodeOf(code as ErrorCode), exit);
  });
}

test("no error leaves as if all were well, and the help names every number", () => {
  assert.equal(Object.values(PROMISED).includes(EXIT.ok), false);
  for (const exit of Object.values(EXIT))
    assert.match(EXIT_CODES_HELP, new RegExp(`^  ${exit} +\\S`, "m"));
});
