import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import OpenAI from "openai";
import { createFetch } from "../../src/client/create-fetch.ts";
import type { ClientEvent } from "../../src/client/tools.ts";
import { gatewayUrl } from "../support/callers.ts";
import { eventually, KEYS, startSample, type TestEstate } from "../support/estate.ts";

const SERVING = "eu-west";
const STANDBY = "us-east";
const QUESTION = "Until what time are orders for the night express of spare parts accepted?";
/** Streams of each API that are under way together when the fault comes. */
const STREAMS = 3;

const FAULTS = [
  {
    name: "a whole region is killed, its gateway included",
    apply: (up: TestEstate) => up.faults.killRegion(SERVING, 600_000),
  },
  {
    name: "a gateway alone is killed",
    apply: (up: TestEstate) => up.supervisor.killProcess(`gateway:${SERVING}`),
  },
] as const;

/** One streamed answer as its reader got it. */
interface Told {
  text: string;
  requestId: string;
  /** Of the answer and of its parts. */
  readonly ids: Set<string>;
  readonly numbers: number[];
  ends: number;
  usage: { readonly input: number; readonly output: number; readonly total: number } | null;
}

type Reads = (client: OpenAI, begun: () => void) => Promise<Told>;

const fresh = (): Told => ({
  ...{ text: "", requestId: "", ends: 0, usage: null },
  ...{ ids: new Set<string>(), numbers: [] },
});

const responds: Reads = async (client, begun) => {
  const body = { model: "support-search", input: QUESTION, stream: true } as const;
  const { data, response } = await client.responses.create(body).withResponse();
  const told = fresh();
  told.requestId = response.headers.get("x-request-id") ?? "";
  for await (const event of data) {
    told.numbers.push(event.sequence_number);
    if ("item_id" in event) told.ids.add(event.item_id);
    if (event.type === "response.output_text.delta") {
      told.text += event.delta;
      begun();
    }
    if (event.type !== "response.completed") continue;
    told.ends += 1;
    assert.equal(event.response.output_text ?? told.text, told.text);
    const { usage } = event.response;
    if (usage) {
      const { input_tokens: input, output_tokens: output, total_tokens: total } = usage;
      told.usage = { input, output, total };
    }
  }
  return told;
};

const completes: Reads = async (client, begun) => {
  const stream_options = { include_usage: true };
  const body = { model: "assistant", prompt: QUESTION, max_tokens: 200, stream_options };
  const asked = client.completions.create({ ...body, stream: true });
  const { data, response } = await asked.withResponse();
  const told = fresh();
  told.requestId = response.headers.get("x-request-id") ?? "";
  for await (const { id, choices, usage } of data) {
    told.ids.add(id);
    told.text += choices[0]?.text ?? "";
    if (choices[0]?.finish_reason) told.ends += 1;
    if (choices[0]?.text) begun();
    if (usage) {
      const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = usage;
      told.usage = { input, output, total };
    }
  }
  return told;
};

const APIS = [
  { api: "/v1/responses", read: responds },
  { api: "/v1/completions", read: completes },
] as const;

for (const fault of FAULTS) {
  describe(`streams of other APIs while ${fault.name}`, () => {
    let up: TestEstate;

    before(async () => {
      up = await startSample();
      await eventually("both copies of the index to hold the corpus", async () => {
        const { regions } = await up.control.status();
        const counts = regions.map(({ indexes }) => indexes[0]?.position?.count ?? 0);
        return counts.every((count) => count > 0 && count === counts[0]);
      });
    });
    after(async () => {
      await up?.stop();
    });

    it("go on at the next gateway: every word once, one end, one sum", async () => {
      const events: ClientEvent[] = [];
      const client = clientOf(events);
      const uncut = await Promise.all(APIS.map(({ read }) => read(client, () => undefined)));
      assert.equal(events.length, 0, "nothing is wrong yet");

      const readings = APIS.flatMap(({ read }) =>
        Array.from({ length: STREAMS }, () => begin(read)),
      );
      await Promise.all(readings.map(({ begun }) => begun));
      await fault.apply(up);
      const answers = await Promise.all(readings.map(({ told }) => told));

      for (const [i, told] of answers.entries()) {
        const whole = uncut[Math.floor(i / STREAMS)] ?? assert.fail();
        assert.equal(told.text, whole.text);
        assert.equal(told.ends, 1);
        assert.equal(told.ids.size, whole.ids.size);
        assert.deepEqual(told.numbers, [...told.numbers.keys()]);
        assertSum(told, whole);
      }
      const resumed = new Set(
        events.flatMap(({ kind, requestId }) => (kind === "resumed" ? [requestId] : [])),
      );
      const kept = auditedIds(STANDBY);
      for (const [i, { api }] of APIS.entries()) {
        const mine = answers
          .slice(i * STREAMS, (i + 1) * STREAMS)
          .map(({ requestId }) => requestId);
        const joined = mine.filter((id) => resumed.has(id));
        // Without one, the fault has found no answer half told, and the test has shown nothing.
        assert.ok(joined.length > 0, `a stream of ${api} was gone on with`);
        assert.deepEqual(
          joined.filter((id) => !kept.has(id)),
          [],
          "its rest is audited under its id",
        );
      }

      function begin(read: Reads) {
        const { promise, resolve } = Promise.withResolvers<void>();
        // One that is refused must fail the test by its own error, not leave it waiting.
        const told = read(client, resolve);
        return { begun: Promise.race([promise, told]), told };
      }
    });

    function clientOf(events: ClientEvent[]): OpenAI {
      const gateways = [gatewayUrl(up, SERVING), gatewayUrl(up, STANDBY)];
      const fetch = createFetch({ gateways, onEvent: (event) => void events.push(event) });
      const baseURL = `${gateways[0]}/v1`;
      return new OpenAI({ baseURL, apiKey: KEYS.acme, maxRetries: 0, fetch });
    }

    function auditedIds(region: string): ReadonlySet<unknown> {
      const file = up.estate.data.region(region).audit;
      const lines = readFileSync(file, "utf8").trimEnd().split("\n");
      return new Set(lines.map((line) => JSON.parse(line).requestId));
    }
  });
}

/** The model went on with what was told; what it read was read twice, what it made was made once. */
function assertSum({ usage: sum }: Told, { usage: one }: Told): void {
  assert.ok(sum !== null && one !== null, "the end says what the answer cost");
  assert.equal(sum.total, sum.input + sum.output);
  assert.ok(sum.output >= one.output, `${sum.output} of ${one.output} tokens`);
  assert.ok(sum.input >= one.input, `${sum.input} of ${one.input} tokens`);
}
