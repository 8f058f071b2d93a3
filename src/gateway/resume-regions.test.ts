import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  MemoryAudit,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import { startUpstream } from "../../test/support/upstream.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { cutting, listen, runtime, speaking, targetsOf } from "./resume.fixture.ts";
import type { Gateway } from "./server.ts";
import type { SnapshotHolder } from "./snapshots.ts";

describe("an answer whose whole region is destroyed", () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());

  interface Region {
    readonly gateway: Gateway;
    readonly holder: SnapshotHolder;
    readonly audit: MemoryAudit;
    readonly url: string;
  }

  async function region(name: string, url: string, movedGraceMs = 20): Promise<Region> {
    const holder = await world.holder(null);
    const audit = new MemoryAudit();
    const timeouts = { drainMs: 0, movedGraceMs, holdMs: 10_000 };
    const gateway = await world.gateway({ region: name, snapshots: holder, audit, timeouts });
    return { gateway, holder, audit, url };
  }

  function served(number: number, eu: Region, us: Region, serving: string): Snapshot {
    const entry = ({ gateway, url }: Region) => ({
      ...regionOf(gateway.url),
      targets: targetsOf([url], "continue-final-message"),
    });
    return snapshotOf({
      number,
      regions: { "eu-west": entry(eu), "us-east": entry(us) },
      workflows: { support: { ...ROUTE, epoch: number, serving: [serving] } },
    });
  }

  it("goes on from the region that took over, when the snapshot says so", async () => {
    const eu = await region("eu-west", (await runtime(world, 5)).url);
    const us = await region("us-east", (await runtime(world)).url);
    for (const { holder } of [eu, us]) await holder.offer(world.sign(served(1, eu, us, "eu-west")));
    const whole = await listen(us.gateway.url);
    let said = 0;
    const heard = await listen(us.gateway.url, {}, async () => {
      said += 1;
      if (said !== 4) return;
      await eu.gateway.close();
      await us.holder.offer(world.sign(served(2, eu, us, "us-east")));
    });
    assert.equal(heard.error, null);
    assert.deepEqual([heard.text, heard.finishes], [whole.text, ["stop"]]);
    assert.equal(new Set(heard.chunks.map(({ id }) => id)).size, 1);
    const record = await us.audit.find(heard.requestId);
    assert.equal(record?.outcome, "complete");
    assert.match(record?.attempts[0]?.outcome ?? "", /^answered, then cut: /);
    assert.deepEqual([record?.target, record?.attempts.at(-1)?.outcome], ["target-1", "went on"]);
  });

  it("goes on when the region only went silent, as soon as it has lost the workflow", async () => {
    const real = await runtime(world);
    const stopped = await world.own(startUpstream("stopped"));
    const eu = await region("eu-west", stopped.url);
    const us = await region("us-east", real.url);
    for (const { holder } of [eu, us]) await holder.offer(world.sign(served(1, eu, us, "us-east")));
    const whole = await listen(us.gateway.url);
    for (const { holder } of [eu, us]) await holder.offer(world.sign(served(2, eu, us, "eu-west")));
    stopped.chat = cutting(real, 5, () => undefined);
    let said = 0;
    const heard = await listen(us.gateway.url, {}, async () => {
      said += 1;
      if (said === 4) await us.holder.offer(world.sign(served(3, eu, us, "us-east")));
    });
    assert.deepEqual([heard.text, heard.finishes, heard.error], [whole.text, ["stop"], null]);
  });

  it("is left to a region that has lost the workflow and still speaks", async () => {
    const real = await runtime(world);
    const relieved = await world.own(startUpstream("relieved"));
    const graceMs = 500;
    const eu = await region("eu-west", relieved.url, graceMs);
    const us = await region("us-east", real.url);
    for (const { holder } of [eu, us]) await holder.offer(world.sign(served(1, eu, us, "eu-west")));
    const moved = Promise.withResolvers<void>();
    // It pauses often, each time for less than the grace, and for longer than that in all.
    relieved.chat = speaking(real, async (nth) => {
      if (nth === 4) await moved.promise;
      if (nth >= 4 && nth < 8) await sleep(graceMs / 3);
    });
    let said = 0;
    const heard = await listen(eu.gateway.url, {}, async () => {
      if (++said !== 2) return;
      await eu.holder.offer(world.sign(served(2, eu, us, "us-east")));
      moved.resolve();
    });
    const whole = await listen(us.gateway.url);
    assert.deepEqual([heard.text, heard.finishes, heard.error], [whole.text, ["stop"], null]);
    const record = await eu.audit.find(heard.requestId);
    assert.deepEqual(
      record?.attempts.map(({ outcome }) => outcome),
      ["answered"],
    );
  });

  it("is forwarded with what its caller has, when a third region took over", async () => {
    const eu = await region("eu-west", (await runtime(world, 5)).url);
    const us = await region("us-east", (await runtime(world)).url);
    const ap = await region("ap-south", "http://127.0.0.1:9");
    const three = (number: number, serving: string): Snapshot => {
      const two = served(number, eu, us, serving);
      return { ...two, regions: { ...two.regions, "ap-south": regionOf(ap.gateway.url) } };
    };
    for (const { holder } of [eu, us, ap]) await holder.offer(world.sign(three(1, "eu-west")));
    const options = { stream_options: { include_usage: true } };
    const whole = await listen(ap.gateway.url, options);
    let said = 0;
    const heard = await listen(ap.gateway.url, options, async () => {
      said += 1;
      if (said !== 4) return;
      await eu.gateway.close();
      for (const { holder } of [us, ap]) await holder.offer(world.sign(three(2, "us-east")));
    });
    assert.deepEqual([heard.text, heard.finishes, heard.error], [whole.text, ["stop"], null]);
    const [one, sum] = [whole, heard].map(({ chunks }) => chunks.at(-1)?.usage);
    assert.equal(sum?.completion_tokens, one?.completion_tokens);
    assert.ok((sum?.prompt_tokens ?? 0) >= 2 * (one?.prompt_tokens ?? 0));
    // The region that told the rest has only its own part in its books.
    const rest = await us.audit.find(heard.requestId);
    assert.ok((rest?.completionTokens ?? 0) < (one?.completion_tokens ?? 0));
  });
});
