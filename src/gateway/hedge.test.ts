import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  MemoryAudit,
  post,
  QUESTION,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import * as raw from "../../test/support/raw-upstream.ts";

/** So many answers tell the gateway what is normal for a target. */
const KNOWN_AFTER = 8;

describe("a workflow that hedges", () => {
  let world: World;
  let audit: MemoryAudit;
  let first: raw.RawUpstream;
  let second: raw.RawUpstream;

  beforeEach(async () => {
    world = new World();
    audit = new MemoryAudit();
    first = await world.own(raw.startRaw("first"));
    second = await world.own(raw.startRaw("second"));
  });
  afterEach(() => world.end());

  for (const stream of [false, true]) {
    const how = stream ? "streamed" : "whole";

    it(`asks a second target when the first is slow, and cancels the first, ${how}`, async () => {
      const gateway = await start({ hedge: true });
      await warmUp(gateway, stream);
      first.script = [raw.accepts];
      const { status, text, record } = await ask(gateway, stream);
      assert.equal(status, 200);
      assert.match(text, /the answer of second/);
      await first.asked.at(-1)?.closed;
      assert.deepEqual(
        record.attempts.map(({ target, outcome }) => [target, outcome]),
        [
          ["target-1", "cancelled: another answered first"],
          ["target-2", "answered"],
        ],
      );
      assert.equal(record.target, "target-2");
      const { targets } = await statusOf(gateway);
      assert.equal(
        targets.find(({ name }) => name === "target-1")?.failed,
        0,
        "slow is no failure",
      );
    });

    it(`cancels the second when the first answers after all, ${how}`, async () => {
      const gateway = await start({ hedge: true });
      await warmUp(gateway, stream);
      let answer: () => void = () => undefined;
      first.script = [
        (socket, asked) => {
          answer = () => raw.sound("late but first")(socket, asked);
        },
      ];
      second.otherwise = () => answer();
      const { text, record } = await ask(gateway, stream);
      assert.match(text, /late but first/);
      await second.asked[0]?.closed;
      const outcomes = record.attempts.map(({ outcome }) => outcome);
      assert.deepEqual(outcomes, ["answered", "cancelled: another answered first"]);
    });
  }

  it("asks nobody else while the first is as fast as ever, or before that is known", async () => {
    const gateway = await start({ hedge: true });
    first.script = [raw.late("slow, but who knows", 50)];
    assert.match((await ask(gateway, false)).text, /who knows/);
    assert.equal(second.asked.length, 0);
  });

  it("goes on to the second when the first fails, as without hedging", async () => {
    const gateway = await start({ hedge: true });
    first.otherwise = raw.errors(401);
    const { text, record } = await ask(gateway, false);
    assert.match(text, /the answer of second/);
    assert.deepEqual(
      record.attempts.map(({ outcome }) => outcome),
      ["status 401", "answered"],
    );
  });

  it("is the only one that does", async () => {
    const gateway = await start({ hedge: false });
    await warmUp(gateway, false);
    first.script = [raw.late("in its own time", 100)];
    assert.match((await ask(gateway, false)).text, /in its own time/);
    assert.equal(second.asked.length, 0);
  });

  it("asks another region when this one has a single target", async () => {
    const there = await world.holder(null);
    const other = await world.gateway({ region: "us-east", snapshots: there });
    const regions = {
      "eu-west": regionOf("http://127.0.0.1:9", first.url),
      "us-east": regionOf(other.url, second.url),
    };
    const serving = ["eu-west", "us-east"];
    const snapshot = snapshotOf({
      regions,
      workflows: { support: { ...ROUTE, serving, hedge: true } },
    });
    await there.offer(world.sign(snapshot));
    const here = await world.holder(snapshot);
    const { url } = await world.gateway({ region: "eu-west", snapshots: here, audit });
    await warmUp(url, true);
    first.script = [raw.accepts];
    const { text, record } = await ask(url, true);
    assert.match(text, /the answer of second/);
    assert.equal(record.forwardedTo, "us-east");
    await first.asked.at(-1)?.closed;
    assert.deepEqual(
      record.attempts.map(({ target }) => target),
      ["target-1", "gateway:us-east"],
    );
  });

  async function start(change: { readonly hedge: boolean }): Promise<string> {
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", first.url, second.url) };
    const workflows = { support: { ...ROUTE, ...change } };
    const snapshots = await world.holder(snapshotOf({ regions, workflows }));
    return (await world.gateway({ region: "eu-west", snapshots, audit })).url;
  }

  async function warmUp(gateway: string, stream: boolean): Promise<void> {
    for (let i = 0; i < KNOWN_AFTER; i++) await ask(gateway, stream);
  }

  async function ask(gateway: string, stream: boolean) {
    const response = await post(gateway, { ...QUESTION, stream });
    const text = await response.text();
    const id = response.headers.get("x-request-id") ?? "";
    const record = (await audit.find(id)) ?? assert.fail(`no audit record of ${id}`);
    return { status: response.status, text, record };
  }
});

async function statusOf(gateway: string) {
  const response = await fetch(`${gateway}/tideover/v1/status`);
  return (await response.json()) as { targets: { name: string; failed: number }[] };
}
