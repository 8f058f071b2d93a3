import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { evidenceSchema } from "../../src/model/evidence.ts";
import { ask, callerOf, startTraffic, unexcused, WORKFLOWS } from "../support/callers.ts";
import { assertRecovered, drilledSchema } from "../support/drilled.ts";
import { eventually, runCommand, startSample, type TestEstate } from "../support/estate.ts";

/** The only model of the serving region is killed; its gateway, its agent and its index live on. */

const [SERVING, STANDBY] = ["eu-west", "us-east"] as const;
const RUNTIME = `runtime:${SERVING}:local`;
/** A person's failback waits for proof that the region is right again. */
const MOVED_MS = 60_000;

describe("callers of a region that loses its models", () => {
  let up: TestEstate;
  let whole: ReadonlyMap<string, string>;

  before(async () => {
    // The drill comes soon after the first kill.
    up = await startSample([[["detection", "cooldown"], "1s"]]);
    await eventually("both copies of the index to hold the corpus", async () => {
      const { regions } = await up.control.status();
      const counts = regions.map(({ indexes }) => indexes[0]?.position?.count ?? 0);
      return counts.every((count) => count > 0 && count === counts[0]);
    });
    const asked = WORKFLOWS.map(async (name) => {
      return [name, (await ask(callerOf(up, SERVING), name)).text] as const;
    });
    whole = new Map(await Promise.all(asked));
  });
  after(async () => {
    await up?.stop();
  });

  it("see no error and no other answer, at that region's gateway and at the other one's", async (t) => {
    const clients = [SERVING, SERVING, STANDBY, STANDBY].map((region) => callerOf(up, region));
    const traffic = startTraffic(t, clients, whole);
    const diedAt = Date.now();
    await up.supervisor.killProcess(RUNTIME);
    await eventually("the standby to serve", () => servedBy(STANDBY), MOVED_MS);
    await Promise.all(WORKFLOWS.map((name) => ask(callerOf(up, SERVING), name)));
    const { answered, failures } = await traffic.stop();
    const { states } = await up.control.plans();
    const opened = states.flatMap(({ steps }) => steps.filter(({ id }) => id === "open-traffic"));
    const openedMs = Math.max(...opened.map(({ endedAt }) => endedAt ?? diedAt)) - diedAt;
    assert.deepEqual(unexcused(failures, openedMs), [], `open after ${openedMs} ms`);
    assert.ok(answered > 0);
    t.diagnostic(`open after ${openedMs} ms, ${answered} answered`);
  });

  it("were moved for capacity loss, and the index gave everything away first", async () => {
    const { plans } = await up.control.plans();
    assert.deepEqual(
      plans.map(({ decision: { kind, domain } }) => [kind, domain]),
      WORKFLOWS.map(() => ["failover", "capacity-loss"]),
    );
    const frozen = plans.filter(({ steps }) => steps.some(({ kind }) => kind === "freeze-index"));
    assert.ok(frozen.length > 0, "an index was drained");
    const evidence = z.array(evidenceSchema).parse(await up.control.evidence(0));
    const told = evidence.map(({ text }) => text);
    assert.ok(told.some((text) => /^model serving in eu-west is failed: no model of/.test(text)));
    assert.ok(!told.some((text) => /^eu-west is failed/.test(text)), "which is no region outage");
  });

  it("are served there again when a person wants it, once its models answer", async (t) => {
    await up.supervisor.startProcess(RUNTIME);
    const traffic = startTraffic(t, [callerOf(up, SERVING), callerOf(up, STANDBY)], whole);
    await eventually(
      "the region to be ready",
      async () => {
        const { workflows } = await up.control.status();
        const judged = workflows.flatMap(({ standbys }) => standbys);
        return judged.length > 0 && judged.every(({ ready }) => ready);
      },
      MOVED_MS,
    );
    // One after the other: two of them move the same index.
    for (const workflow of WORKFLOWS) {
      await up.control.move("failback", workflow, { to: null, by: "a test" });
      await eventually(`${workflow} to be back`, () => servedBy(SERVING, [workflow]), MOVED_MS);
    }
    const { failures } = await traffic.stop();
    assert.deepEqual(failures, []);
  });

  it("pass the drill that a person runs", async (t) => {
    const drilled = await runCommand([
      ...["drill", "capacity-loss", "--json"],
      ...["--spec", up.estate.specPath, "--data", up.estate.data.root],
      ...["--report", join(dirname(up.estate.data.root), "report")],
    ]);
    assert.notEqual(drilled.stdout, "", drilled.stderr);
    const report = drilledSchema.parse(JSON.parse(drilled.stdout));
    t.diagnostic(`RTA ${report.rtaSeconds} s, ${report.requests.sent} requests`);
    assertRecovered(report, drilled.code);
    assert.ok(report.requests.sent > 100);
    assert.equal(report.requests.succeeded, report.requests.sent);
  });

  async function servedBy(region: string, names: readonly string[] = WORKFLOWS): Promise<boolean> {
    const { workflows } = await up.control.status();
    const asked = workflows.filter(({ workflow }) => names.includes(workflow));
    return asked.every(({ serving, movingBy }) => serving.join() === region && movingBy === null);
  }
});
