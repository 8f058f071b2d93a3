import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  BOLT_KEY,
  clientOf,
  handClock,
  post,
  QUESTION,
  RELEASE_ONE,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import { type FakeUpstream, startUpstream } from "../../test/support/upstream.ts";
import { type Release, releaseSchema } from "../model/release.ts";
import { limitsOf } from "../model/release-policy.ts";
import type { Gateway } from "./server.ts";

const RELEASE: Release = releaseSchema.parse({
  ...RELEASE_ONE,
  prompts: { ...RELEASE_ONE.prompts, short: { system: "Be short.", version: "sha256:short" } },
  routes: {
    support: {
      workflow: "support",
      prompt: "short",
      parameters: { temperature: 0.2, seed: 7 },
      maxOutputTokens: 80,
    },
  },
  policies: {
    house: {
      name: "house",
      workflows: ["support"],
      safety: [{ name: "weapons", phrases: ["Build a bomb", "nerve agent"] }],
      tools: { allow: ["search"] },
      tenants: { bolt: { requestsPerMinute: 60, maxOutputTokens: 50 } },
    },
    elsewhere: {
      name: "elsewhere",
      workflows: ["other"],
      safety: [{ name: "x", phrases: ["leave"] }],
    },
    second: { name: "second", tenants: { bolt: { requestsPerMinute: 90 } } },
  },
});

const tool = (name: string) => ({ type: "function" as const, function: { name, parameters: {} } });

describe("a gateway holds requests to the policies and routes of its release", () => {
  const world = new World();
  let upstream: FakeUpstream;
  let gateway: Gateway;

  before(async () => {
    upstream = await world.own(startUpstream("eu"));
    const regions = {
      ...snapshotOf().regions,
      "eu-west": regionOf("http://127.0.0.1:9", upstream.url),
    };
    const clock = handClock();
    const snapshots = await world.holder(snapshotOf({ release: RELEASE, regions }), clock);
    gateway = await world.gateway({ region: "eu-west", snapshots, clock });
  });
  after(() => world.end());

  async function refused(body: object): Promise<[status: number, code: string, message: string]> {
    const response = await post(gateway.url, { ...QUESTION, ...body });
    const answer: unknown = await response.json();
    assert.ok(typeof answer === "object" && answer !== null && "error" in answer, "an answer");
    const { code, message } = Object(answer.error);
    return [response.status, code, message];
  }

  it("refuses what a safety filter finds, however it is spaced or written, before any model", async () => {
    for (const content of [
      "How do I build a bomb?",
      "BUILD  a\nbomb",
      "ｂｕｉｌｄ a bomb",
      [{ type: "text", text: "a nerve agent" }],
    ]) {
      const [status, code, message] = await refused({ messages: [{ role: "user", content }] });
      assert.deepEqual([status, code], [403, "content_policy"]);
      assert.match(message, /safety filter 'weapons' of policy 'house'/);
    }
  });

  it("judges what the caller wrote, in any role, and not what the model had said", async () => {
    const said = (role: string) => [
      { role, content: "One could build a bomb." },
      ...QUESTION.messages,
    ];
    assert.equal((await refused({ messages: said("system") }))[1], "content_policy");
    const passed = await post(gateway.url, { ...QUESTION, messages: said("assistant") });
    assert.equal(passed.status, 200);
  });

  it("refuses a tool that is not on the list, and names those that are", async () => {
    const [status, code, message] = await refused({ tools: [tool("search"), tool("shell")] });
    assert.deepEqual([status, code], [403, "tool_not_allowed"]);
    assert.match(message, /'shell' is not allowed by policy 'house'\. Allowed: search\./);
    const allowed = await post(gateway.url, { ...QUESTION, tools: [tool("search")] });
    assert.equal(allowed.status, 200);
  });

  const others: readonly (readonly [string, object, RegExp])[] = [
    ["a custom tool", { type: "custom", custom: { name: "shell" } }, /'shell' is not/],
    [
      "a custom tool that shows an allowed function's name beside its own",
      { type: "custom", custom: { name: "shell" }, function: { name: "search" } },
      /'shell' is not/,
    ],
    ["a tool that the model's server runs", { type: "web_search" }, /'web_search' is not/],
    [
      "the same, under an allowed function's name",
      { type: "web_search", function: { name: "search" } },
      /'web_search' is not/,
    ],
  ];
  for (const [name, other, expected] of others) {
    it(`refuses ${name} that is not on the list`, async () => {
      const [status, code, message] = await refused({ tools: [tool("search"), other] });
      assert.deepEqual([status, code], [403, "tool_not_allowed"]);
      assert.match(message, expected);
    });
  }

  it("holds every way to offer a tool to the list, also those that pass unread otherwise", async () => {
    const asked = upstream.asked.length;
    const ways = [
      { functions: [{ name: "search" }, { name: "shell" }] },
      { functions: [{ name: 5 }] },
      { functions: [null] },
      { web_search_options: {} },
    ];
    for (const way of ways) {
      const [status, code] = await refused(way);
      assert.deepEqual([status, code], [403, "tool_not_allowed"], JSON.stringify(way));
    }
    assert.equal(upstream.asked.length, asked);
    const allowed = { functions: [{ name: "search" }], web_search_options: null };
    assert.equal((await post(gateway.url, { ...QUESTION, ...allowed })).status, 200);
  });

  it("asks the model as the route says, wherever the caller says nothing", async () => {
    const asked = upstream.next("/v1/chat/completions");
    await clientOf(gateway.url).chat.completions.create({ ...QUESTION, temperature: 1 });
    const { body } = await asked;
    assert.deepEqual(body, {
      model: "m",
      messages: [{ role: "system", content: "Be short." }, ...QUESTION.messages],
      max_tokens: 80,
      temperature: 1,
      seed: 7,
    });
  });

  it("keeps a tenant to the limits that a policy gives it, and announces them", async () => {
    const asked = upstream.next("/v1/chat/completions");
    const response = await post(gateway.url, QUESTION, { authorization: `Bearer ${BOLT_KEY}` });
    assert.equal(response.headers.get("x-ratelimit-limit-requests"), "60");
    const { body } = await asked;
    assert.equal(Object(body).max_tokens, 50);
  });
});

it("limits are the release's own, the lowest that policies give a tenant, and the route's cap", () => {
  assert.deepEqual(limitsOf(RELEASE, "support", "acme"), {
    requestsPerMinute: 600,
    maxOutputTokens: 80,
  });
  assert.deepEqual(limitsOf(RELEASE, "support", "bolt"), {
    requestsPerMinute: 60,
    maxOutputTokens: 50,
  });
  assert.deepEqual(limitsOf(RELEASE, "other", "bolt"), {
    requestsPerMinute: 90,
    maxOutputTokens: 100,
  });
  assert.deepEqual(limitsOf(RELEASE, "constructor", "constructor"), RELEASE.policy);
});
