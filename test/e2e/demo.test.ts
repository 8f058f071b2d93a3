import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { z } from "zod";
import { assertRecovered, drilledSchema, LEEWAY } from "../support/drilled.ts";
import {
  type Command,
  childrenOf,
  killProcessesNaming,
  printed,
  processesNaming,
  start,
} from "../support/processes.ts";

/** What `demo --json` promises to scripts; more may follow. */
const promisedSchema = drilledSchema.extend({
  rpoSeconds: z.number(),
  rpaSeconds: z.number(),
  requests: z.object({
    sent: z.number(),
    succeeded: z.number(),
    failed: z.number(),
    cut: z.number(),
  }),
  failback: z.object({ completed: z.boolean() }),
});

/** A demo that does not end must fail its test, and not hang the run. */
const BOUND = { timeout: 150_000 };

test("the demo recovers, proves it, and leaves only its report", BOUND, async (t) => {
  const { demo, folder } = startDemo(t);
  const { code, stdout, stderr } = await demo.result;
  assert.match(stdout, /^\{.*\}\n$/, `standard output is one line; ${stderr}`);
  const said = promisedSchema.parse(JSON.parse(stdout));
  assertRecovered(said, code);
  assert.ok(
    said.rpaSeconds >= 0 && said.rpaSeconds <= LEEWAY * said.rpoSeconds,
    `RPA ${said.rpaSeconds} s`,
  );
  const { sent, succeeded, failed, cut } = said.requests;
  assert.ok(sent > 100, `${sent} requests are no load`);
  assert.deepEqual([failed, succeeded + cut], [0, sent]);
  assert.equal(said.failback.completed, true);
  assert.ok(said.checks.length >= 10);
  for (const { name, evidence } of said.checks) assert.notEqual(evidence, "", name);

  const report = JSON.parse(readFileSync(join(folder, "report", "report.json"), "utf8"));
  assert.deepEqual([report.verdict, report.requests], [said.verdict, said.requests]);
  const page = readFileSync(join(folder, "report", "report.html"), "utf8");
  assert.match(page, /^<!doctype html>/i);
  // A demo that missed an objective leaves its logs, and says where.
  assertNothingLeft(folder, ["report", ...(code === 0 ? [] : [keptBy(stderr)])]);
});

test("Ctrl-C while a region is dead: 130, and nothing is left", BOUND, async (t) => {
  const { demo, folder } = startDemo(t);
  await printed(demo, "stderr", /gateway:eu-west died \(SIGKILL\)/);
  assert.ok(childrenOf(demo.pid).length > 0);
  demo.signalGroup("SIGINT");
  const { code, stdout, stderr } = await demo.result;
  assert.equal(code, 130, stderr);
  assert.equal(stdout, "", "half a drill has no result");
  assert.match(stderr, /stopping every process/);
  assertNothingLeft(folder, ["report"]);
});

/** Its temporary folder is one of the test's own, so that whatever it leaves is seen. */
function startDemo(t: TestContext): { demo: Command; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "tideover-test-"));
  const demo = start(["demo", "--json", "--report", join(folder, "report")], {
    env: { TMPDIR: folder },
  });
  t.after(() => {
    demo.signalGroup("SIGKILL");
    killProcessesNaming(folder);
    rmSync(folder, { recursive: true, force: true });
  });
  return { demo, folder };
}

function keptBy(stderr: string): string {
  const [, kept] = /files and logs are in (.*)/.exec(stderr) ?? assert.fail(stderr);
  return basename(kept ?? "");
}

function assertNothingLeft(folder: string, files: readonly string[]): void {
  assert.deepEqual(processesNaming(folder), []);
  // Node's own compile cache also lives under TMPDIR, and may stay.
  const left = readdirSync(folder).filter((name) => name !== "node-compile-cache");
  assert.deepEqual(left, files);
}
