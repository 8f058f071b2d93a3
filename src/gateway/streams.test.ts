import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, before, describe, it } from "node:test";
import { APIError } from "openai";
import {
  clientOf,
  MemoryAudit,
  post,
  QUESTION,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import {
  answers,
  answersWith,
  chunk,
  type FakeUpstream,
  sse,
  startUpstream,
  streams,
} from "../../test/support/upstream.ts";
import type { Gateway } from "./server.ts";

const BEGUN = [chunk({ role: "assistant", content: "" }), chunk({ content: "Half an " })];
const finish = chunk({}, "stop");
const reset = (response: ServerResponse): void => void response.socket?.resetAndDestroy();
const end = (response: ServerResponse): void => void response.end();

/** Every way in which an answer that began can go wrong: what else comes, and how it ends. */
const CUTS: readonly (readonly [string, unknown[], (response: ServerResponse) => void, RegExp])[] =
  [
    ["a reset", [], reset, /connection reset/],
    ["a clean end without a finish", [], end, /without a finish reason/],
    ["[DONE] without a finish", ["[DONE]"], end, /without a finish reason/],
    ["[DONE] after an error frame", [{ error: { message: "CUDA" } }, "[DONE]"], end, /CUDA/],
    ["a page of HTML", ["<html>"], end, /not a JSON object/],
  ];

describe("streams through a gateway that serves, and through one that forwards", () => {
  const world = new World();
  const audit = new MemoryAudit();
  let upstream: FakeUpstream;
  let serving: Gateway;
  let forwarding: Gateway;

  before(async () => {
    upstream = await world.own(startUpstream("eu"));
    const [here, there] = [await world.holder(null), await world.holder(null)];
    const timeouts = { holdMs: 1 };
    serving = await world.gateway({ region: "eu-west", snapshots: here, audit, timeouts });
    forwarding = await world.gateway({ region: "us-east", snapshots: there, timeouts });
    const regions = {
      "eu-west": regionOf(serving.url, upstream.url),
      "us-east": regionOf(forwarding.url),
    };
    for (const holder of [here, there]) await holder.offer(world.sign(snapshotOf({ regions })));
  });
  after(() => world.end());

  for (const [name, events, then, because] of CUTS) {
    it(`cut: ${name}`, async () => {
      for (const gateway of [serving, forwarding]) {
        const goOn = goesWrong(events, then);
        const before = audit.records.length;
        const seen = await iterate(gateway, goOn);
        assert.equal(seen.text, "Half an ");
        assert.deepEqual(seen.finishes, []);
        assert.equal(seen.error?.code, "stream_cut");
        assert.match(seen.error?.message ?? "", because);
        assert.match(seen.error?.message ?? "", /cut after 8 characters/);
        assert.equal(audit.records[before]?.outcome, "cut");

        const raw = await rawBytes(gateway, goesWrong(events, then));
        assert.doesNotMatch(raw.text, /data: \[DONE\]|"finish_reason":"/);
        assert.equal(raw.broken, true, "the transfer itself is seen to be broken");
      }
    });
  }

  for (const [name, then] of [
    ["an end", end],
    ["a reset", reset],
  ] as const) {
    it(`not cut: ${name} after the finish, without [DONE]`, async () => {
      for (const gateway of [serving, forwarding]) {
        const seen = await iterate(gateway, goesWrong([finish], then));
        assert.deepEqual([seen.text, seen.finishes, seen.error], ["Half an ", ["stop"], null]);
        assert.equal(audit.records.at(-1)?.outcome, "complete");
      }
    });
  }

  /** The upstream begins an answer, and no other; the returned function lets it go wrong. */
  function goesWrong(
    rest: readonly unknown[],
    then: (response: ServerResponse) => void,
  ): () => void {
    let goOn: () => void = () => undefined;
    const begin = streams(BEGUN, (response) => {
      goOn = () =>
        void response.write(`: go on\n\n${rest.map(sse).join("")}`, () => then(response));
    });
    upstream.chat = (asked, response) => {
      upstream.chat = answersWith(503, "");
      return begin(asked, response);
    };
    return () => {
      goOn();
      goOn = () => undefined;
    };
  }

  async function iterate(gateway: Gateway, begun: () => void = () => undefined) {
    const stream = await clientOf(gateway.url).chat.completions.create({
      ...QUESTION,
      stream: true,
    });
    const finishes: string[] = [];
    let text = "";
    try {
      for await (const { choices } of stream) {
        text += choices[0]?.delta.content ?? "";
        if (text !== "") begun();
        if (choices[0]?.finish_reason) finishes.push(choices[0].finish_reason);
      }
    } catch (error) {
      assert.ok(error instanceof APIError);
      return { text, finishes, error };
    }
    return { text, finishes, error: null };
  }

  async function rawBytes(gateway: Gateway, begun: () => void) {
    const response = await post(gateway.url, { ...QUESTION, stream: true });
    let text = "";
    try {
      for await (const piece of response.body ?? []) {
        text += Buffer.from(piece).toString("utf8");
        if (text.includes("Half")) begun();
      }
    } catch {
      return { text, broken: true };
    }
    return { text, broken: false };
  }

  it("tells no status before the first event", async () => {
    let begin: () => void = () => undefined;
    upstream.chat = streams([], (response) => {
      begin = () =>
        void response.end([chunk({ content: "all" }), finish, "[DONE]"].map(sse).join(""));
      response.write(": a comment is no event\n\n");
    });
    const reached = upstream.next("/v1/chat/completions");
    let answered = false;
    const asking = post(serving.url, { ...QUESTION, stream: true }).then((response) => {
      answered = true;
      return response;
    });
    await reached;
    for (let i = 0; i < 5; i++) await fetch(`${serving.url}/healthz`);
    assert.equal(answered, false);
    begin();
    assert.match(await (await asking).text(), /all[\s\S]*stop[\s\S]*\[DONE\]/);
  });

  it("keep the connection to their upstream for the next request", async () => {
    upstream.chat = answers("a b c");
    const before = upstream.asked.length;
    for (let i = 0; i < 3; i++) assert.equal((await iterate(serving)).text, "a b c");
    const ports = upstream.asked.slice(before).map(({ port }) => port);
    assert.equal(new Set(ports).size, 1);
  });

  it("do not break that connection when its answer's end comes after [DONE], as vLLM sends it", async () => {
    let last: ServerResponse | null = null;
    upstream.chat = streams([...BEGUN, finish, "[DONE]"], (response) => {
      last = response;
    });
    assert.deepEqual((await iterate(serving)).finishes, ["stop"]);
    for (let i = 0; i < 5; i++) await fetch(`${serving.url}/healthz`);
    const response: ServerResponse = last ?? assert.fail("the upstream was not asked");
    assert.equal(response.destroyed, false);
    response.end();
  });

  it("end upstream when the caller leaves in the middle, and are recorded as abandoned", async () => {
    upstream.chat = streams(BEGUN, () => undefined);
    const reached = upstream.next("/v1/chat/completions");
    const stream = await clientOf(forwarding.url).chat.completions.create({
      ...QUESTION,
      stream: true,
    });
    const before = audit.records.length;
    for await (const _chunk of stream) break;
    await (await reached).over;
    while (audit.records.length === before) await fetch(`${serving.url}/healthz`);
    assert.equal(audit.records.at(-1)?.outcome, "abandoned");
  });
});
