import assert from "node:assert/strict";
import { test } from "node:test";
import { messageOf, TideoverError } from "./errors.ts";

test("an error carries its code, whether to retry, and what to do next", () => {
  const cause = new Error("EADDRINUSE");
  const full = new TideoverError("cannot listen", {
    code: "PORT_TAKEN",
    retry: "later",
    next: "Stop what uses it.",
    cause,
  });
  assert.deepEqual(
    [full.name, full.message, full.code, full.retry, full.next, full.cause],
    ["TideoverError", "cannot listen", "PORT_TAKEN", "later", "Stop what uses it.", cause],
  );
  assert.ok(full instanceof Error);
});

test("without a word about it, no retry helps, nothing is advised and nothing was the cause", () => {
  const bare = new TideoverError("no", { code: "USAGE" });
  assert.deepEqual(
    [bare.retry, bare.next, Object.hasOwn(bare, "cause")],
    ["never", undefined, false],
  );
});

test("anything that can be thrown has a message", () => {
  assert.deepEqual(
    [new Error("why"), new RangeError(), "text", 7, null, undefined].map(messageOf),
    ["why", "RangeError", "text", "7", "null", "undefined"],
  );
});
