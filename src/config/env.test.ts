import assert from "node:assert/strict";
import { test } from "node:test";
import { TideoverError } from "../lib/errors.ts";
import { readEnvironment } from "./env.ts";

test("an empty environment gives the defaults, frozen", () => {
  const environment = readEnvironment({ PATH: "/bin", TIDEOVER_DATA: "", NO_COLOR: "" });
  assert.deepEqual(environment, {
    spec: null,
    dataDir: null,
    token: null,
    cosignPassword: null,
    debug: false,
    logLevel: "info",
    colours: "terminal",
    ci: false,
    warnings: [],
  });
  assert.ok(Object.isFrozen(environment));
});

test("each variable is read", () => {
  const environment = readEnvironment({
    TIDEOVER_SPEC: "estate.yaml",
    TIDEOVER_DATA: "/var/lib/tideover",
    TIDEOVER_DEBUG: "1",
    TIDEOVER_TOKEN: "0123456789abcdef",
    TIDEOVER_LOG: "DEBUG",
    FORCE_COLOR: "1",
    CI: "true",
  });
  assert.deepEqual(environment, {
    spec: "estate.yaml",
    dataDir: "/var/lib/tideover",
    token: "0123456789abcdef",
    cosignPassword: null,
    debug: true,
    logLevel: "debug",
    colours: "always",
    ci: true,
    warnings: [],
  });
});

test("NO_COLOR wins over FORCE_COLOR, and a dumb terminal has none", () => {
  assert.equal(readEnvironment({ NO_COLOR: "1", FORCE_COLOR: "1" }).colours, "never");
  assert.equal(readEnvironment({ TERM: "dumb" }).colours, "never");
  assert.equal(readEnvironment({ FORCE_COLOR: "0" }).colours, "never");
  assert.equal(readEnvironment({ CI: "false" }).ci, false);
});

test("a bad value is answered with what to set, and a token is never shown", () => {
  const refused = (env: Record<string, string>): string => {
    try {
      readEnvironment(env);
    } catch (error) {
      assert.ok(error instanceof TideoverError && error.code === "USAGE");
      return `${error.message} ${error.next}`;
    }
    assert.fail("it was accepted");
  };
  assert.match(refused({ TIDEOVER_LOG: "wran" }), /"wran".*Set TIDEOVER_LOG to warn\./);
  assert.match(refused({ TIDEOVER_DATA: " x" }), /white space/);
  assert.match(refused({ TIDEOVER_TOKEN: "hunter2" }), /has 7 characters/);
  const split = refused({ TIDEOVER_TOKEN: "a-long-secret\nwith a line end" });
  assert.ok(!split.includes("secret"));
  assert.ok(!refused({ TIDEOVER_TOKEN: "hunter2" }).includes("hunter2"));
});

test("a misspelt variable is pointed out, one of somebody else is not", () => {
  const { warnings } = readEnvironment({ TIDEOVER_TOKNE: "x", TIDEOVER_SOMETHING_ELSE: "y" });
  assert.deepEqual(warnings, ["TIDEOVER_TOKNE is not read; did you mean TIDEOVER_TOKEN?"]);
});
