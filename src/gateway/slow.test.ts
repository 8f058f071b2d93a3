import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { eventually } from "../../test/support/estate.ts";
import {
  post,
  QUESTION,
  RELEASE_ONE,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import * as raw from "../../test/support/raw-upstream.ts";
import { chunk, sse } from "../../test/support/upstream.ts";
import { readTroubles } from "../core/signals/troubles.ts";
import { DEFAULT_REFLEX } from "../model/reflex.ts";

const WORDS = 40;
/** So small that a test need not wait for what an operator would call slow. */
const REFLEX = { ...DEFAULT_REFLEX, slow: { times: 3, least: 100 } };
const ENOUGH = { ...RELEASE_ONE, policy: { requestsPerMinute: 60_000, maxOutputTokens: 100 } };

/** Tells its answer word by word, at a pace that can be changed, or whole after as long. */
class Paced {
  readonly upstream: raw.RawUpstream;
  paceMs = 5;

  constructor(upstream: raw.RawUpstream, name: string) {
    this.upstream = upstream;
    upstream.otherwise = (socket, asked) => {
      if (asked.body.stream === true) this.#tell(socket);
      else setTimeout(() => raw.sound(`the answer of ${name}`)(socket, asked), 10 * this.paceMs);
    };
  }

  #tell(socket: Socket): void {
    const headers = { "content-type": "text/event-stream", "transfer-encoding": "chunked" };
    socket.write(raw.head(200, headers));
    const say = (told: number): void => {
      if (socket.destroyed) return;
      raw.writeChunk(socket, sse(chunk({ content: "word " })));
      if (told < WORDS) setTimeout(say, this.paceMs, told + 1);
      else {
        raw.writeChunk(socket, sse(chunk({}, "stop")) + sse("[DONE]"));
        socket.write("0\r\n\r\n");
      }
    };
    say(1);
  }
}

describe("a target that becomes ten times slower", () => {
  let world: World;
  let first: Paced;
  let second: Paced;
  let gateway: string;

  beforeEach(async () => {
    world = new World();
    first = new Paced(await world.own(raw.startRaw("first")), "first");
    second = new Paced(await world.own(raw.startRaw("second")), "second");
    const urls = [first.upstream.url, second.upstream.url];
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", ...urls) };
    const snapshot = snapshotOf({ regions, reflex: REFLEX, release: ENOUGH });
    const snapshots = await world.holder(snapshot);
    gateway = (await world.gateway({ region: "eu-west", snapshots, random: () => 0 })).url;
  });
  afterEach(() => world.end());

  for (const streamed of [false, true]) {
    const kind = streamed ? "streamed" : "whole";
    it(`is seen within seconds, shown, and asked last: ${kind} answers`, async () => {
      const load = new Load(10, () => ask(streamed));
      try {
        await eventually("its normal to be known", async () => {
          const { usual } = await target();
          return usual[streamed ? "pace" : "wholeAnswer"].normalMs !== null;
        });
        assert.equal(second.upstream.asked.length, 0);
        first.paceMs = 50;
        const from = performance.now();
        await eventually("it to be asked last", async () => (await target()).standing === "slow");
        assert.ok(performance.now() - from < 10_000, `after ${performance.now() - from} ms`);
        assert.match((await target()).slow ?? "", streamed ? /from word to word/ : /for an answer/);
        await shownEverywhere();
        await eventually("the other to be asked", () => second.upstream.asked.length > 20);
        first.paceMs = 5;
        await eventually("it to be used again", async () => (await target()).standing === "in");
      } finally {
        await load.end();
      }
      assert.deepEqual(new Set(load.answers), new Set(["whole"]));
    });
  }

  it("is asked on where the other became as slow", async () => {
    const load = new Load(10, () => ask(false));
    try {
      const known = async () => (await target()).usual.wholeAnswer.normalMs !== null;
      await eventually("its normal to be known", known);
      first.paceMs = 50;
      second.paceMs = 50;
      await eventually("the other to be tried", () => second.upstream.asked.length > 0);
      const back = async () => (await target()).standing === "in";
      await eventually("it to be used again", back);
    } finally {
      await load.end();
    }
  });

  async function shownEverywhere(): Promise<void> {
    const page = await (await fetch(`${gateway}/tideover/v1/status`)).text();
    const [trouble] = readTroubles(page) ?? [];
    assert.equal(trouble?.standing, "slow");
    assert.match(trouble?.because ?? "", /ms are usual for it/);
    const metrics = await (await fetch(`${gateway}/metrics`)).text();
    assert.match(metrics, /tideover_gateway_target_slow\{target="target-1"\} 1\n/);
    assert.match(metrics, /target_median_seconds\{target="target-1",measure="\w+",over="long"\} 0/);
  }

  async function ask(stream: boolean): Promise<string> {
    const text = await (await post(gateway, { ...QUESTION, stream })).text();
    const whole = stream ? text.split("word ").length === WORDS + 1 : text.includes("the answer");
    return whole ? "whole" : text;
  }

  interface Shown {
    readonly standing: string;
    readonly slow: string | null;
    readonly usual: Readonly<Record<string, { readonly normalMs: number | null }>> & {
      readonly wholeAnswer: { readonly normalMs: number | null };
      readonly pace: { readonly normalMs: number | null };
    };
  }

  async function target(): Promise<Shown> {
    const response = await fetch(`${gateway}/tideover/v1/status`);
    const { targets } = (await response.json()) as { targets: (Shown & { name: string })[] };
    const known = { normalMs: null };
    const nothing = { wholeAnswer: known, pace: known };
    const found = targets.find(({ name }) => name === "target-1");
    return found ?? { standing: "in", slow: null, usual: nothing };
  }
});

/** So many callers, each of whom asks again when it has its answer. */
class Load {
  readonly answers: string[] = [];
  #ended = false;
  readonly #callers: Promise<void>[];

  constructor(callers: number, ask: () => Promise<string>) {
    this.#callers = Array.from({ length: callers }, async () => {
      while (!this.#ended) this.answers.push(await ask());
    });
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#callers);
  }
}
