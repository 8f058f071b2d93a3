import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, before, describe, it } from "node:test";
import {
  clientOf,
  MemoryAudit,
  post,
  ROUTE,
  snapshotOf,
  THE_RELEASE,
  World,
} from "../../test/support/gateway-world.ts";
import {
  type Asked,
  answersWith,
  chunk,
  type FakeUpstream,
  sse,
  startUpstream,
  streams,
} from "../../test/support/upstream.ts";
import type { Snapshot, Target } from "../model/snapshot.ts";
import type { RunningRuntime } from "../runtime/server.ts";
import {
  ASKED,
  CAPABILITIES,
  cutting,
  type Heard,
  listen,
  reset,
  runtime,
  targetsOf,
} from "./resume.fixture.ts";
import type { Gateway } from "./server.ts";
import type { SnapshotHolder } from "./snapshots.ts";

describe("an answer that is cut in its region", () => {
  const world = new World();
  const audit = new MemoryAudit();
  let real: RunningRuntime;
  let first: FakeUpstream;
  let holder: SnapshotHolder;
  let gateway: Gateway;
  let number = 1;

  before(async () => {
    real = await runtime(world);
    first = await world.own(startUpstream("first"));
    holder = await world.holder(null);
    const timeouts = { holdMs: 1, keepAliveMs: 5 };
    gateway = await world.gateway({ region: "eu-west", snapshots: holder, audit, timeouts });
  });
  after(() => world.end());

  /** New targets for each answer: one that cut another would be left alone. */
  async function serve(
    continuation: Target["continuation"],
    route: Partial<Snapshot["workflows"][string]> = {},
    urls = [first.url, real.url],
  ): Promise<void> {
    number += 1;
    const regions: Snapshot["regions"] = {
      "eu-west": {
        gateway: gateway.url,
        jurisdiction: "EU",
        release: THE_RELEASE,
        targets: targetsOf(urls, continuation, `t${number}`),
      },
    };
    const reflex = { ...snapshotOf().reflex, retryShare: 1, attempts: 10 };
    const workflows = { support: { ...ROUTE, ...route } };
    await holder.offer(world.sign(snapshotOf({ number, regions, reflex, workflows })));
  }

  async function uncut(more: object = {}): Promise<Heard> {
    await serve("none", {}, [real.url]);
    return listen(gateway.url, more);
  }

  for (const capability of CAPABILITIES) {
    it(`is whole to its caller, wherever it is cut (${capability})`, async () => {
      const options = { stream_options: { include_usage: true } };
      const whole = await uncut(options);
      const events = whole.chunks.length;
      assert.ok(events > 8);
      for (const at of [1, 2, Math.floor(events / 2), events - 2, events - 1]) {
        await serve(capability);
        first.chat = cutting(real, at, reset);
        const heard = await listen(gateway.url, options);
        assert.equal(heard.error, null);
        assert.deepEqual(heard.text, whole.text);
        assert.deepEqual(heard.finishes, ["stop"]);
        assert.equal(new Set(heard.chunks.map(({ id }) => id)).size, 1);
        assert.equal(new Set(heard.chunks.map(({ created }) => created)).size, 1);
        const roles = heard.chunks.filter(({ choices }) => choices[0]?.delta.role !== undefined);
        assert.equal(roles.length, 1);
        assertUsage(heard, whole, capability, at);
        const record = await audit.find(heard.requestId);
        assert.equal(record?.outcome, "complete");
        assert.equal(
          audit.records.filter(({ requestId }) => requestId === heard.requestId).length,
          1,
        );
      }
    });
  }

  /** `at`: events of the first half, of which the first is the role. */
  function assertUsage(heard: Heard, whole: Heard, capability: string, at: number): void {
    const one = whole.chunks.at(-1)?.usage ?? assert.fail();
    const told = heard.chunks.at(-1)?.usage ?? null;
    // Cut behind its finish, the answer is whole, and nobody said what it cost.
    if (at === whole.chunks.length - 1) {
      assert.equal(told, null);
      return;
    }
    const sum = told ?? assert.fail();
    const said = Math.min(at - 1, one.completion_tokens);
    const again = capability === "none" || said === 0 ? said : 0;
    assert.equal(sum.completion_tokens, one.completion_tokens + again);
    const read = capability === "none" ? 0 : said;
    const least = 2 * one.prompt_tokens + read;
    // A message's borders cost the reference runtime three tokens, in either half.
    assert.ok(sum.prompt_tokens >= least && sum.prompt_tokens <= least + 6, `${sum.prompt_tokens}`);
    assert.equal(sum.total_tokens, sum.prompt_tokens + sum.completion_tokens);
  }

  it("is whole in each of several choices", async () => {
    const whole = await uncut({ n: 3 });
    for (const at of [2, 5, 11]) {
      await serve("continue-final-message");
      first.chat = cutting(real, at, reset);
      const heard = await listen(gateway.url, { n: 3 });
      assert.deepEqual([heard.text, heard.finishes], [whole.text, whole.finishes]);
    }
  });

  const faults: readonly (readonly [string, (response: ServerResponse) => void])[] = [
    ["an event that is not JSON", (response) => void response.end(sse("<html>502</html>"))],
    ["an error event", (response) => void response.end(sse({ error: { message: "CUDA" } }))],
    [
      "an error event and [DONE]",
      (response) => void response.end(sse({ error: { message: "CUDA" } }) + sse("[DONE]")),
    ],
    ["a finish of error", (response) => void response.end(sse(chunk({}, "error")) + sse("[DONE]"))],
    ["a clean end", (response) => void response.end()],
    ["[DONE] without a finish", (response) => void response.end(sse("[DONE]"))],
    [
      "an event of megabytes without an end",
      (response) => void response.write(`data: ${"x".repeat(5 * 1024 * 1024)}`),
    ],
  ];
  for (const [name, fault] of faults) {
    it(`is whole after ${name}`, async () => {
      const whole = await uncut();
      for (const capability of CAPABILITIES) {
        await serve(capability);
        first.chat = cutting(real, 4, fault);
        const heard = await listen(gateway.url);
        assert.deepEqual([heard.text, heard.finishes, heard.error], [whole.text, ["stop"], null]);
      }
    });
  }

  it("is whole after a silence", async () => {
    const whole = await uncut();
    await serve("continue-final-message");
    const timeouts = { holdMs: 1, idleMs: 50 };
    const own = await world.gateway({ region: "eu-west", snapshots: holder, timeouts });
    first.chat = cutting(real, 4, () => undefined);
    const heard = await listen(own.url);
    assert.deepEqual([heard.text, heard.finishes], [whole.text, ["stop"]]);
  });

  it("says in its record who told which half", async () => {
    await serve("continue-final-message");
    first.chat = cutting(real, 4, reset);
    const { requestId } = await listen(gateway.url);
    const record = await audit.find(requestId);
    assert.deepEqual(
      record?.attempts.map(({ target, outcome }) => [target, outcome]),
      [
        [`t${number}-1`, "answered, then cut: connection reset"],
        [`t${number}-2`, "went on"],
      ],
    );
    assert.equal(record?.target, `t${number}-2`);
    const page = await (await fetch(`${gateway.url}/metrics`)).text();
    assert.match(page, /streams_resumed_total\{workflow="support",result="whole"\} \d+/);
  });

  it("is whole in the other APIs, too", async () => {
    const client = clientOf(gateway.url);
    const input = ASKED.messages[0]?.content ?? "";
    const respond = async (): Promise<string[]> => {
      const told: string[] = [];
      const events = await client.responses.create({ model: "support", input, stream: true });
      for await (const event of events) {
        if (event.type === "response.output_text.delta") told.push(event.delta);
        if (event.type === "response.completed") told.push("completed");
      }
      return [told.slice(0, -1).join(""), told.at(-1) ?? ""];
    };
    await serve("none", {}, [real.url]);
    const whole = await respond();
    assert.equal(whole[1], "completed");
    await serve("continue-final-message");
    first.chat = cutting(real, 4, reset);
    assert.deepEqual(await respond(), whole);
  });

  it("ends upstream when its caller leaves in the second half", async () => {
    const second = await world.own(startUpstream("second"));
    await serve("continue-final-message", {}, [first.url, second.url]);
    first.chat = streams([chunk({ content: "Once " })], reset);
    second.chat = streams([chunk({ content: "upon " })], () => undefined);
    const asked = second.next("/v1/chat/completions");
    const stream = await clientOf(gateway.url).chat.completions.create({ ...ASKED, stream: true });
    const before = audit.records.length;
    for await (const { choices } of stream) if (choices[0]?.delta.content === "upon ") break;
    await (await asked).over;
    // Bounded: an audit record that never comes must fail this test, not hang the run.
    for (let looks = 0; looks < 2_000 && audit.records.length === before; looks += 1) {
      await fetch(`${gateway.url}/healthz`);
    }
    assert.ok(audit.records.length > before, "the abandoned request has its record");
    assert.equal(audit.records.at(-1)?.outcome, "abandoned");
  });

  it("is as long as was allowed, no longer", async () => {
    const more = { max_tokens: 6 };
    const whole = await uncut(more);
    assert.deepEqual(whole.finishes, ["length"]);
    // The last cut is behind the last token, where nothing is missing but the end.
    for (const at of [3, 7]) {
      await serve("continue-final-message");
      first.chat = cutting(real, at, reset);
      const heard = await listen(gateway.url, more);
      assert.deepEqual([heard.text, heard.finishes], [whole.text, ["length"]]);
    }
  });

  it("tells a tool call that was cut once, and whole", async () => {
    const tools = [{ type: "function", function: { name: "find", parameters: {} } }];
    await serve("continue-final-message");
    first.chat = cutting(real, 4, reset);
    const heard = await listen(gateway.url, { tools, tool_choice: "required" });
    const calls = heard.chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
    assert.equal(calls.filter(({ id }) => id !== undefined).length, 1);
    const said = calls.map((call) => call.function?.arguments ?? "").join("");
    assert.deepEqual(JSON.parse(said), { query: ASKED.messages[0]?.content });
    assert.deepEqual(heard.finishes, ["tool_calls"]);
  });

  it("asks a server of prefills in its own way, and takes out the space that it repeats", async () => {
    const second = await world.own(startUpstream("second"));
    await serve("prefill", {}, [first.url, second.url]);
    first.chat = streams(
      [chunk({ role: "assistant", content: "" }), chunk({ content: "Once " })],
      reset,
    );
    second.chat = (_asked, response) =>
      streams(
        [
          chunk({ role: "assistant", content: " up" }),
          chunk({ content: "on" }),
          chunk({}, "stop"),
          "[DONE]",
        ],
        (r) => r.end(),
      )(_asked, response);
    const asked = second.next("/v1/chat/completions");
    const heard = await listen(gateway.url);
    assert.deepEqual([heard.text, heard.finishes], [["Once upon"], ["stop"]]);
    const { body } = await asked;
    const messages = body.messages as { role: string; content: string }[];
    assert.deepEqual(messages.at(-1), { role: "assistant", content: "Once" });
    assert.equal("continue_final_message" in body, false);
    assert.equal("tideover_resume" in body, false);
  });

  it("ends as a cut that says how far it came, when the regenerated answer is another", async () => {
    const second = await world.own(startUpstream("second"));
    await serve("none", {}, [first.url, second.url]);
    first.chat = streams([chunk({ content: "Once " })], reset);
    second.chat = streams(
      [chunk({ content: "In the beginning" }), chunk({}, "stop"), "[DONE]"],
      (r) => r.end(),
    );
    const heard = await listen(gateway.url);
    assert.deepEqual([heard.text, heard.finishes], [["Once "], []]);
    assert.equal(heard.error?.code, "stream_cut");
    assert.match(
      heard.error?.message ?? "",
      /cut after 5 characters.*the answer was another this time/,
    );
    assert.equal((await audit.find(heard.requestId))?.outcome, "cut");
  });

  it("is given up after some tries, when every target cuts it", async () => {
    await serve("none", {}, [first.url]);
    let tries = 0;
    first.chat = (asked: Asked, response) => {
      tries += 1;
      return streams([chunk({ content: "Once " })], reset)(asked, response);
    };
    const heard = await listen(gateway.url);
    assert.equal(heard.error?.code, "stream_cut");
    assert.deepEqual(heard.text, ["Once "]);
    assert.ok(tries > 1 && tries <= 6, `${tries}`);
  });

  it("tells the rest only to who has the beginning, and refuses what is none", async () => {
    const whole = await uncut();
    await serve("continue-final-message", {}, [real.url]);
    const begun = (whole.text[0] ?? "").slice(0, 20);
    const delivered = {
      id: "chatcmpl-theirs",
      created: 7,
      choices: [{ index: 0, texts: { content: begun } }],
      tokens: 4,
      inToolCall: false,
      opaque: false,
      cuts: [{ read: 0, generated: 4 }],
    };
    const rest = await listen(gateway.url, { tideover_resume: delivered });
    assert.equal(begun + rest.text[0], whole.text[0]);
    assert.deepEqual([rest.chunks[0]?.id, rest.chunks[0]?.created], ["chatcmpl-theirs", 7]);
    assert.equal(
      rest.chunks.some(({ choices }) => choices[0]?.delta.role !== undefined),
      false,
    );
    for (const wrong of [{ ...delivered, opaque: true }, "all of it"]) {
      const refused = await post(gateway.url, { ...ASKED, stream: true, tideover_resume: wrong });
      assert.equal(refused.status, 400);
      assert.match(await refused.text(), /"param":"tideover_resume"/);
    }
  });

  it("tells nothing before all of it is here, where the workflow wants it so", async () => {
    const whole = await uncut();
    await serve("none", { delivery: "complete" });
    let goOn = (): void => undefined;
    first.chat = cutting(real, 5, (response) => {
      goOn = () => reset(response);
    });
    const response = await post(gateway.url, { ...ASKED, stream: true });
    let seen = "";
    for await (const piece of response.body ?? []) {
      seen += Buffer.from(piece).toString("utf8");
      // A sign of life, and only that, while half of the answer is there.
      if (!seen.includes("data:")) {
        assert.match(seen, /^(: still working on it\n\n)+$/);
        goOn();
      }
    }
    const told = seen
      .split("\n\n")
      .filter((event) => event.startsWith("data: {"))
      .map((event) => JSON.parse(event.slice("data: ".length)));
    assert.equal(
      told.map(({ choices }) => choices[0]?.delta.content ?? "").join(""),
      whole.text[0],
    );
    assert.equal(new Set(told.map(({ id }) => id)).size, 1);
    assert.match(seen, /data: \[DONE\]\n\n$/);
  });

  it("says so when such an answer never became whole", async () => {
    await serve("none", { delivery: "complete" }, [first.url]);
    first.chat = (asked, response) => {
      first.chat = answersWith(503, "");
      return streams([chunk({ content: "Once " })], reset)(asked, response);
    };
    const heard = await listen(gateway.url);
    assert.deepEqual(heard.text, []);
    assert.match(heard.error?.message ?? "", /cut before any of it was told/);
  });
});
