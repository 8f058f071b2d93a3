import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  clientOf,
  MemoryAudit,
  regionOf,
  snapshotOf,
  World,
} from "../../../test/support/gateway-world.ts";
import {
  type Behaviour,
  chunk,
  completion,
  type FakeUpstream,
  startUpstream,
  streams,
} from "../../../test/support/upstream.ts";
import type { Gateway } from "../server.ts";
import { CHAT } from "./two-regions.fixture.ts";

/** Begins an answer and dies; asked for the rest of one, gives it. */
const halves: Behaviour = (asked, response) => {
  const text = (content: string) => chunk({ role: "assistant", content });
  if (asked.body.continue_final_message !== true) {
    const die = (open: typeof response): void => void open.socket?.resetAndDestroy();
    return streams([text("Half "), text("a ")], die)(asked, response);
  }
  const usage = { ...chunk({}), choices: [], usage: completion("").usage };
  const rest = [text("year."), chunk({}, "stop"), usage, "[DONE]"];
  return streams(rest, (open) => open.end())(asked, response);
};

describe("an answer that is cut and continued elsewhere", () => {
  const world = new World();
  const audit = new MemoryAudit();
  let upstreams: readonly FakeUpstream[];
  let gateway: Gateway;

  before(async () => {
    upstreams = [await world.own(startUpstream("one")), await world.own(startUpstream("two"))];
    for (const upstream of upstreams) upstream.chat = halves;
    const region = regionOf("http://127.0.0.1:9", ...upstreams.map(({ url }) => url));
    const targets = region.targets.map((target) => ({
      ...target,
      continuation: "continue-final-message" as const,
    }));
    const regions = { "eu-west": { ...region, targets } };
    const snapshots = await world.holder(snapshotOf({ regions }));
    gateway = await world.gateway({ region: "eu-west", snapshots, audit });
  });
  after(() => world.end());

  it("is one whole response, told once", async () => {
    const stream = clientOf(gateway.url).responses.stream({ model: "support", input: "How long?" });
    const types: string[] = [];
    stream.on("event", ({ type }) => types.push(type));
    const response = await stream.finalResponse();
    assert.equal(response.output_text, "Half a year.");
    assert.equal(response.status, "completed");
    const once = ["response.created", "response.output_item.added", "response.completed"];
    for (const type of once) assert.equal(types.filter((each) => each === type).length, 1);
    const asked = upstreams.flatMap((upstream) => upstream.askedAt(CHAT));
    assert.equal(asked.length, 2);
  });

  it("is one whole completion", async () => {
    const stream = await clientOf(gateway.url).completions.create({
      model: "support",
      prompt: "How long?",
      stream: true,
    });
    const pieces = [];
    for await (const { choices } of stream) pieces.push(...choices);
    assert.equal(pieces.map(({ text }) => text).join(""), "Half a year.");
    assert.deepEqual(
      pieces.map(({ finish_reason }) => finish_reason),
      [null, null, null, "stop"],
    );
  });
});
