import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { runCommand, startSample, type TestEstate } from "../support/estate.ts";

/** The index of the sample estate, falsified under load by the drill, as a person runs it. */

const reportSchema = z.object({
  rtaSeconds: z.number(),
  rtoSeconds: z.number(),
  requests: z.object({ sent: z.number(), succeeded: z.number() }),
  failback: z.object({ completed: z.boolean() }),
  checks: z.array(z.object({ name: z.string(), pass: z.boolean(), evidence: z.string() })),
  epochs: z.array(z.object({ workflow: z.string(), before: z.number(), after: z.number() })),
  verdict: z.string(),
});

describe("the drill that falsifies an index", () => {
  let up: TestEstate;
  let report: z.infer<typeof reportSchema>;

  before(async () => {
    up = await startSample();
    const drilled = await runCommand([
      ...["drill", "index-corruption", "--json"],
      ...["--spec", up.estate.specPath, "--data", up.estate.data.root],
      ...["--report", join(dirname(up.estate.data.root), "report")],
    ]);
    assert.notEqual(drilled.stdout, "", drilled.stderr);
    report = reportSchema.parse(JSON.parse(drilled.stdout));
  });
  after(async () => {
    await up?.stop();
  });

  it("passes: nobody is told a falsehood, nobody is lost, the copy is repaired", (t) => {
    t.diagnostic(`RTA ${report.rtaSeconds} s, ${report.requests.sent} requests`);
    assert.deepEqual(
      report.checks.filter(({ pass }) => !pass),
      [],
    );
    assert.ok(report.requests.sent > 50);
    assert.equal(report.requests.succeeded, report.requests.sent);
    assert.ok(report.rtaSeconds > 0 && report.rtaSeconds <= report.rtoSeconds);
    assert.deepEqual([report.verdict, report.failback.completed], ["pass", true]);
  });

  it("moves the workflow that needs the index there and back, and no other", async () => {
    const [only, ...others] = report.epochs;
    assert.deepEqual([only?.workflow, others], ["support-search", []]);
    assert.ok((only?.after ?? 0) >= (only?.before ?? 0) + 2);
    const { workflows } = await up.control.status();
    assert.ok(workflows.every(({ serving }) => serving.join() === "eu-west"));
  });

  it("leaves no fault armed behind", () => {
    const file = join(up.estate.data.root, "index-faults.json");
    assert.equal(readFileSync(file, "utf8"), "{}");
  });
});
