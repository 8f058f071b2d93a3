import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  post,
  QUESTION,
  realClock,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import * as raw from "../../test/support/raw-upstream.ts";
import { readTroubles } from "../core/signals/troubles.ts";
import type { Trouble } from "../model/trouble.ts";

interface Shown {
  readonly name: string;
  readonly standing: string;
  readonly ejectedBecause: string | null;
  readonly ejectedForMs: number;
  readonly p95Ms: Readonly<Record<string, number | null>>;
}

describe("an ejected target", () => {
  let world: World;
  let first: raw.RawUpstream;
  let second: raw.RawUpstream;
  let gateway: string;
  let skippedMs = 0;

  beforeEach(async () => {
    world = new World();
    first = await world.own(raw.startRaw("first"));
    second = await world.own(raw.startRaw("second"));
    skippedMs = 0;
    const clock = { ...realClock, monotonic: () => performance.now() + skippedMs };
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", first.url, second.url) };
    const snapshots = await world.holder(snapshotOf({ regions }));
    const options = { region: "eu-west", snapshots, clock, random: () => 0 };
    gateway = (await world.gateway(options)).url;
  });
  afterEach(() => world.end());

  it("is shown, and why, in the status and in the metrics", async () => {
    await eject();
    const shown = (await targets()).get("target-1") ?? assert.fail("it is not shown");
    assert.equal(shown.standing, "out");
    assert.match(shown.ejectedBecause ?? "", /3 failures in a row/);
    const page = await (await fetch(`${gateway}/metrics`)).text();
    assert.match(page, /tideover_gateway_target_state\{target="target-1"\} 0\n/);
    assert.match(page, /tideover_gateway_target_ejections\{target="target-1"\} 1\n/);
    assert.match(page, /tideover_gateway_recent_tries\{kind="requests"\} \d+\n/);
  });

  it("is told to those who watch the gateway, until it is well again", async () => {
    assert.deepEqual(await troubles(), []);
    await eject();
    const [trouble, ...others] = await troubles();
    assert.deepEqual(others, []);
    assert.partialDeepStrictEqual(trouble, {
      target: "target-1",
      region: "eu-west",
      domain: "capacity-loss",
      ejections: 1,
      because: "3 failures in a row (newest: status 401)",
    });
    // The clock is real but for what is skipped: its second may be over on a machine that stood still.
    assert.match(trouble?.standing ?? "", /^(out|trial)$/);
    skippedMs += 60_000;
    assert.match(await ask(), /the answer of first/);
    assert.deepEqual(await troubles(), []);
  });

  it("comes back by one real request, while the others go on without it", async () => {
    await eject();
    skippedMs += 60_000;
    assert.equal((await targets()).get("target-1")?.standing, "trial");
    let answer: () => void = () => undefined;
    const reached = new Promise<void>((resolve) => {
      first.script = [
        (socket, asked) => {
          answer = () => raw.sound("back again")(socket, asked);
          resolve();
        },
      ];
    });
    const asked = first.asked.length;
    const trial = ask();
    await reached;
    for (let i = 0; i < 3; i++) assert.match(await ask(), /the answer of second/);
    assert.equal(first.asked.length, asked + 1, "one request tries it");
    answer();
    assert.match(await trial, /back again/);
    assert.match(await ask(), /the answer of first/);
  });

  it("goes again, for longer, when its trial fails; and that caller is answered all the same", async () => {
    await eject();
    skippedMs += 1_100;
    first.script = [raw.errors(500)];
    assert.match(await ask(), /the answer of second/);
    const shown = (await targets()).get("target-1");
    assert.match(shown?.ejectedBecause ?? "", /its trial failed: status 500|4 failures in a row/);
    assert.ok((shown?.ejectedForMs ?? 0) > 1_000, "twice the first period");
  });

  it("is asked all the same when the others look dead, too", async () => {
    second.otherwise = raw.errors(401);
    first.script = Array.from({ length: 6 }, () => raw.errors(401));
    await Promise.all(Array.from({ length: 3 }, () => ask()));
    assert.match(await ask(), /the answer of first/);
  });

  it("shows what is normal for each target, once it is known", async () => {
    for (let i = 0; i < 8; i++) await ask();
    const p95 = (await targets()).get("target-1")?.p95Ms.wholeAnswer ?? 0;
    assert.ok(p95 > 0);
    const page = await (await fetch(`${gateway}/metrics`)).text();
    assert.match(page, /target_p95_seconds\{target="target-1",measure="wholeAnswer"\} 0\.\d+/);
  });

  async function eject(): Promise<void> {
    first.script = [raw.errors(401), raw.errors(401), raw.errors(401)];
    for (let i = 0; i < 3; i++) assert.match(await ask(), /the answer of second/);
  }

  async function ask(): Promise<string> {
    return (await post(gateway, QUESTION)).text();
  }

  async function troubles(): Promise<readonly Trouble[]> {
    const page = await (await fetch(`${gateway}/tideover/v1/status`)).text();
    return readTroubles(page) ?? assert.fail(`no troubles on ${page}`);
  }

  async function targets(): Promise<Map<string, Shown>> {
    const response = await fetch(`${gateway}/tideover/v1/status`);
    const status = (await response.json()) as { targets: Shown[] };
    return new Map(status.targets.map((target) => [target.name, target]));
  }
});
