import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import OpenAI from "openai";
import type { ResponseStreamEvent } from "openai/resources/responses/responses";
import {
  ACME_KEY,
  MemoryAudit,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import type { Snapshot, Target } from "../model/snapshot.ts";
import { startRuntime } from "../runtime/server.ts";
import { createFetch } from "./create-fetch.ts";
import type { Fetch } from "./tools.ts";

const PROMPT =
  "The tide turns twice a day. The tide is strong at the cape. Ships wait for it. How often does it turn?";

/** Passes on what the first gateway says, so many events of it; then the connection is gone. */
function cutBehind(events: number, gateway: string): Fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
    if (!String(input).startsWith(gateway) || !isStream) return response;
    const all = (await response.text()).split(/(?<=\n\n)/);
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(Buffer.from(all.slice(0, events).join(""))),
      pull: (controller) => controller.error(new TypeError("terminated")),
    });
    return new Response(body, response);
  };
}

for (const continuation of ["continue-final-message", "none"] as const) {
  describe(`the official client, its gateway gone in the middle (${continuation})`, () => {
    const world = new World();
    const audits = [new MemoryAudit(), new MemoryAudit()];
    let gateways: string[];

    before(async () => {
      const names = ["eu-west", "us-east"] as const;
      const holders = await Promise.all(names.map(() => world.holder(null)));
      const regions: Record<string, Snapshot["regions"][string]> = {};
      gateways = [];
      for (const [i, region] of names.entries()) {
        const { [i]: snapshots } = holders;
        const { [i]: audit } = audits;
        assert.ok(snapshots !== undefined && audit !== undefined);
        const { url } = await world.gateway({ region, snapshots, audit });
        gateways.push(url);
        regions[region] = { ...regionOf(url), targets: [await target(region)] };
      }
      const workflows = { support: { ...ROUTE, serving: [...names] } };
      const signed = world.sign(snapshotOf({ regions, workflows }));
      for (const holder of holders) await holder.offer(signed);
    });
    after(() => world.end());

    async function target(region: string): Promise<Target> {
      const { url } = await world.own(
        startRuntime({
          ...{ model: "m", modelDigest: "sha256:00", embeddingModel: "lexical-1" },
          ...{ embeddingSalt: "", tokenDelayMs: 0 },
        }),
      );
      return { name: `runtime-${region}`, url, model: "m", keyEnv: null, continuation };
    }

    function clientCutAt(events: number): OpenAI {
      const fetch = createFetch({ gateways, fetch: cutBehind(events, gateways[0] ?? "") });
      const baseURL = `${gateways[0]}/v1`;
      return new OpenAI({ baseURL, apiKey: ACME_KEY, maxRetries: 0, fetch });
    }

    async function respond(cutAt: number): Promise<ResponseStreamEvent[]> {
      const body = { model: "support", input: PROMPT, stream: true } as const;
      const events: ResponseStreamEvent[] = [];
      for await (const event of await clientCutAt(cutAt).responses.create(body)) events.push(event);
      return events;
    }

    it("reads one response: each number once, stable ids, no word twice, one honest sum", async () => {
      const whole = await respond(Number.POSITIVE_INFINITY);
      assert.ok(whole.length > 12, `${whole.length} events`);
      for (const at of [1, 3, 5, 6, Math.floor(whole.length / 2), whole.length - 1]) {
        const events = await respond(at);
        assert.deepEqual(
          events.map((event) => event.sequence_number),
          [...events.keys()],
        );
        assert.equal(textOf(events), textOf(whole));
        assert.deepEqual(shapeOf(events), shapeOf(whole));
        const items = events.flatMap((event) => ("item_id" in event ? [event.item_id] : []));
        assert.equal(new Set(items).size, 1);
        const ends = events.filter(({ type }) => type === "response.completed");
        assert.equal(ends.length, 1);
        // Behind its last word nobody goes on with a text: all of it is said again.
        const again = continuation === "none" || at === whole.length - 1;
        assertSum(sumOf(events), sumOf(whole), deltasIn(whole.slice(0, at)), again);
      }
    });

    it("has both halves in the audit logs under the one id", async () => {
      await respond(7);
      const [first, second] = audits.map(({ records }) => records.at(-1)?.requestId);
      assert.equal(first, second);
    });

    /** `said`: tokens that the first gateway told, which the second read or made again. */
    function assertSum(sum: Sum, one: Sum, said: number, again: boolean): void {
      assert.equal(sum.total, sum.input + sum.output);
      assert.equal(sum.output, one.output + (again ? said : 0));
      const least = 2 * one.input + (again ? 0 : said);
      // A message's borders cost the reference runtime three tokens, in either half.
      assert.ok(sum.input >= least && sum.input <= least + 6, `${sum.input}, not ${least}`);
    }

    it("reads one text completion, its prompt echoed once", async () => {
      const complete = async (cutAt: number) => {
        const body = { model: "support", prompt: PROMPT, echo: true, max_tokens: 60 } as const;
        const told = { text: "", ids: new Set<string>(), finishes: [] as string[], events: 0 };
        const options = { ...body, stream: true } as const;
        for await (const event of await clientCutAt(cutAt).completions.create(options)) {
          told.events += 1;
          told.ids.add(event.id);
          told.text += event.choices[0]?.text ?? "";
          if (event.choices[0]?.finish_reason) told.finishes.push(event.choices[0].finish_reason);
        }
        return told;
      };
      const whole = await complete(Number.POSITIVE_INFINITY);
      assert.ok(whole.text.startsWith(PROMPT) && whole.events > 5);
      for (const at of [1, 2, Math.floor(whole.events / 2), whole.events]) {
        const told = await complete(at);
        assert.equal(told.text, whole.text);
        assert.deepEqual(told.finishes, whole.finishes);
        assert.equal(told.ids.size, 1);
      }
    });

    it("refuses what is no half answer, in each API, in plain words", async () => {
      const client = clientCutAt(Number.POSITIVE_INFINITY);
      for (const wrong of ["all of it", { response: 1 }, null]) {
        const more = { tideover_resume: wrong };
        const asked = [
          client.responses.create({ model: "support", input: PROMPT, stream: true, ...more }),
          client.completions.create({ model: "support", prompt: PROMPT, stream: true, ...more }),
        ];
        for (const one of asked) await assert.rejects(one, /400 Invalid 'tideover_resume'/);
      }
    });
  });
}

interface Sum {
  readonly input: number;
  readonly output: number;
  readonly total: number;
}

function sumOf(events: readonly ResponseStreamEvent[]): Sum {
  const last = events.at(-1);
  const usage = last?.type === "response.completed" ? last.response.usage : undefined;
  assert.ok(usage, "the last event says what the answer cost");
  const { input_tokens: input, output_tokens: output, total_tokens: total } = usage;
  return { input, output, total };
}

function textOf(events: readonly ResponseStreamEvent[]): string {
  return events
    .map((event) => (event.type === "response.output_text.delta" ? event.delta : ""))
    .join("");
}

function deltasIn(events: readonly ResponseStreamEvent[]): number {
  return events.filter(({ type }) => type === "response.output_text.delta").length;
}

/** What opens and closes, in order; how many pieces the text comes in is the model's. */
function shapeOf(events: readonly ResponseStreamEvent[]): string[] {
  return events.map(({ type }) => type).filter((type) => !type.endsWith(".delta"));
}
