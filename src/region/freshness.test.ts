import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  type AgentWorld,
  createAgentWorld,
  DOCUMENTS,
  INDEX,
} from "../../test/support/agent-world.ts";
import { eventually } from "../../test/support/estate.ts";
import { KEYS } from "../model/keys.ts";
import { regionReportSchema } from "../model/signal.ts";
import { AGENT_PATHS } from "../wire/headers.ts";

const CHANGES = AGENT_PATHS.changes(INDEX);

describe("watermarks", () => {
  let world: AgentWorld;

  beforeEach(async () => {
    world = await createAgentWorld();
    world.own({});
    await world.eu.start();
    await world.us.start();
  });
  afterEach(() => world.close());

  const send = (...changes: object[]) => world.eu.ask("POST", CHANGES, changes);
  const vouch = (sourceTime: number, audience?: string) =>
    send({ op: "watermark", sourceTime, ...(audience === undefined ? {} : { audience }) });
  const seqOf = (body: unknown) => (body as { position: { seq: number } }).position.seq;
  const reported = (region: string) => {
    const value = world.backend.get(KEYS.report(`agent:${region}`))?.value;
    const report = regionReportSchema.safeParse(value).data;
    return { report, state: report?.indexes.find(({ index }) => index === INDEX) };
  };

  test("reach the replica with the changes, and both agents report them", async () => {
    const now = Date.now();
    await send(...DOCUMENTS, { op: "watermark", sourceTime: now });
    await vouch(now + 40_000, "acme");
    for (const region of ["eu-west", "us-east"]) {
      await eventually(`${region} to report`, () => {
        const { state } = reported(region);
        return state?.watermarks?.all === now && state.watermarks.tenants.acme === now + 40_000;
      });
      const { report, state } = reported(region);
      assert.deepEqual([state?.standing, state?.readable], [{ kind: "whole" }, true]);
      assert.ok(Math.abs((report?.wallNow ?? 0) - Date.now()) < 60_000);
    }
  });

  test("that come each second are stored once a step, and the position stays in between", async () => {
    const now = Date.now() - 120_000;
    const { body } = await vouch(now);
    const first = seqOf(body);
    for (let second = 1; second < 30; second += 1) {
      assert.equal(seqOf((await vouch(now + second * 1_000)).body), first);
    }
    assert.equal(seqOf((await vouch(now + 30_000)).body), first + 1);
  });

  test("of a time that has not come are refused: they would hide a dead pipeline", async () => {
    const { status, body } = await vouch(Date.now() + 120_000);
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /a watermark vouches for 20\d\d-.*, and it is 20\d\d-/);
    assert.equal((await vouch(1e300)).status, 400);
  });
});
