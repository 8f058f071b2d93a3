import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { EstateStatus, TargetStatus } from "../../src/api/status.ts";
import { ask, callerOf, WORKFLOWS } from "../support/callers.ts";
import {
  type Change,
  eventually,
  runCommand,
  startSample,
  type TestEstate,
} from "../support/estate.ts";

const SERVING = "eu-west";
const RUNTIME = `runtime:${SERVING}:local`;
/** A request that nobody answers is held for so long; then it has failed often enough. */
const DEADLINE_MS = 2_000;
/** Two rounds of looking and reporting, and what a busy machine adds to a command. */
const SEEN_MS = 10_000;

describe("a runtime that dies under a gateway that lives", () => {
  let up: TestEstate;

  before(async () => {
    up = await startSample([
      [["workflows", "summarize", "deadline"], `${DEADLINE_MS}ms`],
      ...WORKFLOWS.map(
        (name): Change => [["workflows", name, "declare", "signals"], ["region-outage"]],
      ),
    ]);
  });
  after(async () => {
    await up?.stop();
  });

  it("is in `tideover status` and in the record until it is back, and moves nobody whose spec does not say so", async (t) => {
    assert.deepEqual(await targets(), []);
    await up.supervisor.killProcess(RUNTIME);
    await Promise.allSettled([1, 2, 3].map(() => ask(callerOf(up, SERVING), "summarize")));
    let seen: readonly TargetStatus[] = [];
    const named = async (): Promise<boolean> => {
      seen = (await targets()).filter(({ target }) => target === "local");
      return seen.some(({ standing }) => standing !== "failing");
    };
    await eventually("status to name the target", named, SEEN_MS);
    const [one, ...others] = seen;
    assert.deepEqual(others, [], "one line, however many look at that gateway");
    assert.partialDeepStrictEqual(one, {
      target: "local",
      region: SERVING,
      gateway: SERVING,
      domain: "capacity-loss",
    });
    assert.ok((one?.ejections ?? 0) >= 1);
    assert.ok((one?.sinceMs ?? 0) > 0);
    assert.match(one?.because ?? "", /failures in a row|its trial failed/);
    const { stdout } = await tideover(["status"]);
    assert.match(stdout, /TARGET NOT WELL.*\n(.*\n)*local +eu-west +gateway of eu-west/);
    t.diagnostic(stdout);
    await eventually("the record to tell it", async () => {
      // The whole record: each workflow's hold is told as well, and soon fills what status shows.
      const record = await up.control.evidence(0);
      return record.some(({ text }) => /gateway of eu-west leaves local of eu-west/.test(text));
    });

    await up.supervisor.startProcess(RUNTIME);
    // It comes back by real requests; nothing else asks a model for nothing.
    await eventually("an answer", () =>
      ask(callerOf(up, SERVING), "summarize").then(isText, isNot),
    );
    const healed = async (): Promise<boolean> => (await targets()).length === 0;
    await eventually("status to name nothing", healed, SEEN_MS);
    assert.deepEqual((await up.control.plans()).plans, [], "no workflow lists capacity-loss");
  });

  async function targets(): Promise<readonly TargetStatus[]> {
    const { code, stdout, stderr } = await tideover(["status", "--json"]);
    assert.equal(code, 0, stderr);
    const status: EstateStatus = JSON.parse(stdout);
    return status.targets;
  }

  function tideover(args: readonly string[]) {
    const { specPath, data } = up.estate;
    return runCommand([...args, "--spec", specPath, "--data", data.root]);
  }
});

const isText = ({ text }: { readonly text: string }): boolean => text !== "";
const isNot = (): boolean => false;
