import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { assertRecovered, drilledSchema } from "../support/drilled.ts";
import { runCommand, startSample, type TestEstate } from "../support/estate.ts";

/** The index of the sample estate, falsified under load by the drill, as a person runs it. */

const reportSchema = drilledSchema.extend({
  failback: z.object({ completed: z.boolean() }),
  epochs: z.array(z.object({ workflow: z.string(), before: z.number(), after: z.number() })),
});

describe("the drill that falsifies an index", () => {
  let up: TestEstate;
  let report: z.infer<typeof reportSchema>;
  let code: number | null;

  before(async () => {
    up = await startSample();
    const drilled = await runCommand([
      ...["drill", "index-corruption", "--json"],
      ...["--spec", up.estate.specPath, "--data", up.estate.data.root],
      ...["--report", join(dirname(up.estate.data.root), "report")],
    ]);
    assert.notEqual(drilled.stdout, "", drilled.stderr);
    code = drilled.code;
    report = reportSchema.parse(JSON.parse(drilled.stdout));
  });
  after(async () => {
    await up?.stop();
  });

  it("passes: nobody is told a falsehood, nobody is lost, the copy is repaired", (t) => {
    t.diagnostic(`RTA ${report.rtaSeconds} s, ${report.requests.sent} requests`);
    assertRecovered(report, code);
    assert.ok(report.requests.sent > 50);
    assert.equal(report.requests.succeeded, report.requests.sent);
    assert.equal(report.failback.completed, true);
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
