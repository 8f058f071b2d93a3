import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { judgeFlat, type Seen } from "./soak/flat.ts";
import { collections, type Sample, slope } from "./soak/samples.ts";
import { soak } from "./soak/soak.ts";
import { answerTo, argumentsOf, TOOL } from "./soak/speech.ts";
import { type Asked, judgeStream, judgeWhole } from "./soak/verdict.ts";

const HOUR_MS = 3_600_000;
const MIB = 1024 * 1024;
const DONE = "data: [DONE]\n\n";

describe("two gateways before upstreams that fail in every way", () => {
  it("give each caller one right answer or a clear error, and keep nothing", async (t) => {
    const { signal } = t;
    const tell = (line: string): void => t.diagnostic(line);
    const report = await soak({ seed: 45, ms: 45_000, perSecond: 20, tell, signal });
    assert.deepEqual(report.failures, []);
    assert.ok((report.outcomes.right ?? 0) > 500, JSON.stringify(report.outcomes));
    // Otherwise the upstreams were sound, and nothing was proven.
    assert.ok(Object.keys(report.faults).length > 20, JSON.stringify(report.faults));
  });
});

describe("the judge of an answer", () => {
  const asked: Asked = {
    workflow: "both",
    question: "Question 1",
    stream: true,
    tools: false,
    choices: 1,
    usage: false,
  };
  const right = answerTo(asked.question, 0);
  const half = right.slice(0, 12);
  const cut = error("stream_cut", "The answer was cut after 12 characters (2 tokens): reset.");
  const kindOf = (text: string, broken = false): string => judgeStream(asked, text, broken).kind;

  it("takes the right words with one end and [DONE]", () => {
    assert.equal(kindOf(said(half) + said(right.slice(12)) + end("stop") + DONE), "right");
  });

  const wrongs: readonly (readonly [string, string])[] = [
    ["a word missing", said(half) + end("stop") + DONE],
    ["a word twice", said(half) + said(right) + end("stop") + DONE],
    ["no end", said(right) + DONE],
    ["two ends", said(right) + end("stop") + end("stop") + DONE],
    ["no [DONE]", said(right) + end("stop")],
    ["a bare close", said(half)],
    ["something after [DONE]", said(right) + end("stop") + DONE + said("more")],
    ["[DONE] after an error", said(half) + cut + DONE],
    ["an error that says nothing", said(half) + error("server_error", "CUDA")],
    ["a cut after a wrong word", said("another answer") + cut],
    ["a cut after its end", said(right) + end("stop") + cut],
    ["the ids of two answers", said(half) + said(right.slice(12), "2") + end("stop") + DONE],
    ["an event that is no JSON", `data: {"oops\n\n${said(right)}${end("stop")}${DONE}`],
  ];
  for (const [name, text] of wrongs) {
    it(`takes no stream with ${name}`, () => assert.equal(kindOf(text), "wrong"));
  }

  it("takes a beginning of the right words with an error that says how far it got", () => {
    assert.equal(kindOf(said(half) + cut, true), "cut");
  });

  it("takes a tool call whole or not at all", () => {
    const whole = { name: TOOL, arguments: argumentsOf(right) };
    const tools = { ...asked, tools: true };
    const told = (call: object) => event({ delta: { tool_calls: [{ index: 0, function: call }] } });
    const kind = (text: string) => judgeStream(tools, text, false).kind;
    assert.equal(kind(told(whole) + end("tool_calls") + DONE), "right");
    assert.equal(kind(told({ ...whole, arguments: "{" }) + cut), "wrong");
  });

  it("takes an error only when it names who was tried", () => {
    const whole = { ...asked, stream: false };
    const body = (message: string) =>
      JSON.stringify({ error: { message, code: "no_region_answers" } });
    assert.equal(
      judgeWhole(whole, 503, body("No region answers. Tried: west/a (x).")).kind,
      "error",
    );
    assert.equal(judgeWhole(whole, 503, body("Sorry.")).kind, "wrong");
    assert.equal(judgeWhole(whole, 500, "<html>").kind, "wrong");
  });
});

describe("the judge of memory and descriptors", () => {
  it("finds the slope of any line, whatever a quarter of the points does", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1_000, max: 1_000 }),
        fc.integer({ min: -1_000, max: 1_000 }),
        fc.array(fc.integer({ min: -100_000, max: 100_000 }), { minLength: 20, maxLength: 60 }),
        (a, b, noise) => {
          const points = noise.map((off, x) => [x, a * x + b + (x % 4 === 1 ? off : 0)] as const);
          assert.ok(Math.abs(slope(points) - a) < 1e-6);
        },
      ),
    );
  });

  it("takes an hour that goes up and down, and one that grew in the warm-up only", () => {
    assert.deepEqual(faultsOf({ samples: hour((at) => 150 + 40 * Math.sin(at * 300)) }), []);
    assert.deepEqual(faultsOf({ samples: hour((at) => Math.min(150, 50 + 500 * at)) }), []);
  });

  it("takes no hour that leaks beneath its ups and downs", () => {
    const samples = hour((at) => 150 + 40 * Math.sin(at * 300) + 60 * at);
    assert.match(faultsOf({ samples }).join(), /memory grows by [56]\d\.\d MiB/);
  });

  it("takes no hour after which more lives, though memory has room for it", () => {
    const log = heaps((at) => 40 + 9 * at);
    assert.match(faultsOf({ collections: collections(log) }).join(), /lives grows by 9\.0 MiB/);
    assert.match(faultsOf({ collections: [] }).join(), /too few/);
  });

  it("takes no descriptor that stays, and no process that it could not look at", () => {
    assert.match(faultsOf({ after: 21 }).join(), /21 descriptors .* 20 before/);
    assert.notDeepEqual(faultsOf({ samples: [] }), []);
  });

  function faultsOf(changes: Partial<Seen>): readonly string[] {
    const sound = { samples: hour(() => 150), collections: collections(heaps(() => 40)) };
    return judgeFlat({ ...sound, idle: 20, after: 20, ...changes }).faults;
  }

  /** An hour of what `--trace-gc` prints, the small collections among the full ones. */
  function heaps(mib: (at: number) => number): string {
    const lines = Array.from({ length: 61 }, (_, at) => {
      const before = `[1:0x5]  ${at * 60_000} ms:`;
      return `${before} Scavenge 99.0 (120.0) -> 98.0 (120.0) pooled: 0 MB, 1.2 / 0.0 ms
${before} ${at % 2 === 0 ? "Incremental " : ""}Mark-Compact (reduce) 98.0 (120.0) -> ${mib(at / 60).toFixed(2)} (110.0) pooled: 0 MB, 9.0 / 0.0 ms`;
    });
    return lines.join("\n");
  }

  /** Samples of an hour; `mib` by the share of it that is over. */
  function hour(mib: (at: number) => number): Sample[] {
    return Array.from({ length: 361 }, (_, at) => ({
      atMs: (at / 360) * HOUR_MS,
      residentBytes: mib(at / 360) * MIB,
      descriptors: 30,
      sockets: 10,
      cpuMs: at,
    }));
  }
});

function said(content: string, id = "1"): string {
  return event({ delta: { content } }, id);
}

function end(reason: string): string {
  return event({ delta: {}, finish_reason: reason });
}

function event(choice: object, id = "1"): string {
  return `data: ${JSON.stringify({ id, choices: [{ index: 0, ...choice }] })}\n\n`;
}

function error(code: string, message: string): string {
  return `data: ${JSON.stringify({ error: { code, message } })}\n\n`;
}
