import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SourceChange } from "../model/change.ts";
import type { Probe, ProbeFailure, ProbeRequest, ProbeResponse } from "../ports/probe.ts";
import { SimClock } from "../sim/clock.ts";
import { ingest, startTrickle } from "./pipeline.ts";

const POSITION = { seq: 4, digest: "d", sourceTime: 9, count: 2 };
const TARGET = { agent: "http://agent", index: "handbook", token: "the-token" };
const DELETE: SourceChange = { op: "delete", id: "a", sourceTime: 1 };

type Answer = ProbeResponse | ProbeFailure;

const answer = (status: number, body: unknown): Answer => ({
  answered: true,
  status,
  headers: {},
  body: typeof body === "string" ? body : JSON.stringify(body),
  tookMs: 1,
});
const REFUSED: Answer = { answered: false, reason: "connection refused", tookMs: 1 };
const TAKEN = answer(200, { position: POSITION });

/** A probe that gives these answers in turn, the last one for ever. */
function probeOf(...answers: Answer[]) {
  const asked: ProbeRequest[] = [];
  const probe: Probe = {
    exchange: async (request) => {
      asked.push(request);
      return answers[Math.min(asked.length, answers.length) - 1] ?? REFUSED;
    },
  };
  return { probe, asked };
}

describe("changes handed to an agent", () => {
  test("go to the index's own path, under the estate's token", async () => {
    const { probe, asked } = probeOf(TAKEN);
    assert.deepEqual(await ingest(probe, TARGET, [DELETE]), { ok: true, position: POSITION });
    assert.partialDeepStrictEqual(asked, [
      {
        url: "http://agent/tideover/v1/indexes/handbook/changes",
        method: "POST",
        headers: { authorization: "Bearer the-token" },
        body: [DELETE],
      },
    ]);
  });

  const refusals: readonly (readonly [string, Answer, number | null, RegExp])[] = [
    ["nobody answers", REFUSED, null, /^connection refused$/],
    [
      "the region does not own it",
      answer(409, { error: { message: "not mine" } }),
      409,
      /^not mine$/,
    ],
    ["another success", answer(202, { position: POSITION }), 202, /"position"/],
    ["a refusal without the shape", answer(503, { detail: "x" }), 503, /detail/],
    ["a refusal that is no JSON", answer(502, "<html>"), 502, /JSON|token/],
    ["a success without a position", answer(200, {}), 200, /./],
    ["a success that is null", answer(200, "null"), 200, /./],
    ["a success that was cut", answer(200, '{"position'), 200, /JSON/],
  ];
  for (const [what, given, status, detail] of refusals) {
    test(`are not taken when there is ${what}; nothing is thrown`, async () => {
      const result = await ingest(probeOf(given).probe, TARGET, [DELETE]);
      assert.partialDeepStrictEqual(result, { ok: false, status });
      assert.match(result.ok ? "" : result.detail, detail);
    });
  }
});

describe("a trickle", () => {
  function trickle(...answers: Answer[]) {
    const clock = new SimClock(1_000_000);
    const { probe, asked } = probeOf(...answers);
    let agent = "http://eu";
    const running = startTrickle({
      probe,
      clock,
      intervalMs: 200,
      document: (sequence, sourceTime) => ({
        id: "heartbeat",
        title: "-",
        text: `change ${sequence}`,
        audience: "public",
        labels: [],
        payload: {},
        sourceTime,
      }),
      target: () => ({ ...TARGET, agent }),
    });
    const changes = () => asked.flatMap(({ body }) => body as SourceChange[]);
    const move = (to: string) => {
      agent = to;
    };
    return { clock, asked, changes, running, move };
  }

  test("writes one document over and over, at its pace, each with its own source time", async () => {
    const { clock, changes } = trickle(TAKEN);
    await clock.advance(450);
    assert.deepEqual(
      changes().map((change) =>
        change.op === "upsert" ? [change.document.text, change.document.sourceTime] : change,
      ),
      [
        ["change 1", 1_000_000],
        ["change 2", 1_000_200],
        ["change 3", 1_000_400],
      ],
    );
  });

  test("counts as acknowledged only what the owner said it has", async () => {
    const at = (seq: number) => answer(200, { position: { ...POSITION, seq } });
    const not = [REFUSED, answer(409, {}), answer(500, {}), answer(202, { position: POSITION })];
    const { clock, running } = trickle(at(1), ...not, answer(200, {}), at(2));
    await clock.advance(1_250);
    assert.deepEqual(running.acknowledged, [
      { sourceTime: 1_000_000, position: { ...POSITION, seq: 1 }, at: 1_000_000 },
      { sourceTime: 1_001_200, position: { ...POSITION, seq: 2 }, at: 1_001_200 },
    ]);
  });

  test("follows its target: after a failover the writer is another", async () => {
    const { clock, asked, move } = trickle(TAKEN);
    await clock.settle();
    move("http://us");
    await clock.advance(200);
    assert.deepEqual(
      asked.map(({ url }) => new URL(url).host),
      ["eu", "us"],
    );
  });

  test("deletes its document at the end, where it then writes, and writes nothing more", async () => {
    const { clock, changes, asked, move, running } = trickle(TAKEN);
    await clock.advance(250);
    move("http://us");
    await running.stop();
    await clock.advance(5_000);
    assert.equal(changes().length, 3);
    assert.deepEqual(changes().at(-1), { op: "delete", id: "heartbeat", sourceTime: 1_000_250 });
    assert.equal(new URL(asked.at(-1)?.url ?? "").host, "us");
    assert.equal(running.acknowledged.length, 2, "the deletion is no change that can be lost");
  });

  test("ends although its last document cannot be deleted", async () => {
    const { running, changes } = trickle(REFUSED);
    await running.stop();
    assert.deepEqual(running.acknowledged, []);
    assert.equal(changes().at(-1)?.op, "delete");
  });

  test("has its last change answered before the deletion goes out", async () => {
    const order: string[] = [];
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const probe: Probe = {
      exchange: async ({ body }) => {
        const [change] = body as SourceChange[];
        order.push(`${change?.op} sent`);
        const given = change?.op === "upsert" ? await promise : TAKEN;
        order.push(`${change?.op} answered`);
        return given;
      },
    };
    const texts = { id: "h", title: "", text: "", audience: "public" };
    const document = { ...texts, labels: [], payload: {}, sourceTime: 1 };
    const running = startTrickle({
      probe,
      clock: new SimClock(),
      intervalMs: 200,
      document: () => document,
      target: () => TARGET,
    });
    const stopped = running.stop();
    resolve(TAKEN);
    await stopped;
    // The other way round the document would come back after its deletion.
    assert.deepEqual(order, ["upsert sent", "upsert answered", "delete sent", "delete answered"]);
    assert.equal(running.acknowledged.length, 1);
  });
});
