import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { artifactStatusSchema } from "../../src/model/artifact-status.ts";
import { evidenceSchema } from "../../src/model/evidence.ts";
import { assertRecovered, drilledSchema } from "../support/drilled.ts";
import { ROOT, runCommand, startSample, type TestEstate } from "../support/estate.ts";

/** The bad release of the sample estate, activated under load by the drill, as a person runs it. */

const reportSchema = drilledSchema.extend({
  timeline: z.array(z.object({ lane: z.string(), kind: z.string(), offsetSeconds: z.number() })),
  epochs: z.array(z.object({ before: z.number(), after: z.number() })),
});

const heldSchema = z.object({
  regions: z.array(z.object({ status: artifactStatusSchema })),
});

describe("a prompt release that loses every second golden answer", () => {
  let up: TestEstate;
  let report: z.infer<typeof reportSchema>;
  let code: number | null;

  before(async () => {
    up = await startSample();
    const drilled = await runCommand([
      ...["drill", "bad-release", "--json"],
      ...["--release", join(ROOT, "examples", "estate", "release-bad")],
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

  it("is found out and rolled back within the objective", () => {
    assert.equal(report.rtoSeconds, 10);
    assertRecovered(report, code);
  });

  it("and its report counts from the moment at which a region had it", () => {
    const [fault, another] = report.timeline.filter(({ kind }) => kind === "fault");
    assert.deepEqual([fault?.lane, another], ["us-east", undefined]);
    const last = Math.max(...report.timeline.map(({ offsetSeconds }) => offsetSeconds));
    assert.ok((fault?.offsetSeconds ?? 0) + report.rtaSeconds <= last + 0.001);
  });

  it("with no failover, and no caller lost", () => {
    assert.ok(report.requests.sent > 50);
    assert.equal(report.requests.succeeded, report.requests.sent);
    for (const epoch of report.epochs) assert.equal(epoch.before, epoch.after);
  });

  it("by the golden questions, which the record shows in figures", async () => {
    const evidence = z.array(evidenceSchema).parse(await up.control.evidence(0));
    const failed = evidence.find(
      ({ kind, text }) =>
        kind === "verdict" && /^release sha256:\w+ in us-east is failed/.test(text),
    );
    assert.match(failed?.text ?? "", /golden questions asked of both, \d+ were lost and 0 won/);
    const plans = evidence.filter(
      ({ kind, text }) => kind === "plan" && /: rollback of/.test(text),
    );
    assert.equal(plans.length, 1);
  });

  it("both signed by the key that the estate made, and held and compared in each region", async () => {
    const { known } = await up.control.release();
    assert.deepEqual(known.map(({ number }) => number).toSorted(), [1, 2]);
    for (const region of Object.keys(up.estate.spec.regions)) {
      assert.equal(readdirSync(up.estate.data.region(region).trust).length, 1);
    }
    const held = await runCommand([
      ...["artifacts", "status", "--json"],
      ...["--spec", up.estate.specPath, "--data", up.estate.data.root],
    ]);
    const { regions } = heldSchema.parse(JSON.parse(held.stdout));
    assert.equal(regions.length, 2);
    for (const { status } of regions) {
      for (const { digest } of known) {
        const one = status.artifacts.find((artifact) => artifact.digest === digest);
        assert.deepEqual([one?.state, one?.referrers.length], ["verified", 1]);
      }
    }
  });

  it("and the standby that had it is ready again with the good one", async () => {
    const { regions, changing } = await up.control.release();
    assert.equal(changing, null);
    for (const { because } of regions) assert.equal(because, "it serves what it shall");
    const { workflows } = await up.control.status();
    assert.ok(workflows.every(({ serving }) => serving.join() === "eu-west"));
  });
});
