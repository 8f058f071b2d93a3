import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { LastPart, Sink, StreamPart } from "../chain/call.ts";
import { StreamedAnswer, type StreamHooks } from "./stream.ts";

/** A stream, and in order everything that it said to its exchange. */
function streamed() {
  const said: string[] = [];
  const say = (what: string) => (): void => void said.push(what);
  const hooks: StreamHooks = {
    onBegin: say("begin"),
    onFailed: (because, event) => said.push(`failed: ${because} (${event})`),
    onEvent: say("event"),
    onWhole: say("whole"),
    onCut: (because) => said.push(`cut: ${because}`),
    pause: say("pause"),
    resume: say("resume"),
    leave: say("leave"),
  };
  return { stream: new StreamedAnswer(hooks), said };
}

function event(content: string, finish: string | null = null): string {
  const choice = { index: 0, delta: { content }, finish_reason: finish };
  return `data: ${JSON.stringify({ id: "c", choices: [choice] })}\n\n`;
}

const WHOLE = `${event("Die Rückgabe ")}${event("ist möglich.")}${event("", "stop")}data: [DONE]\n\n`;

/** Pieces as one read of a socket brings them: each chunk of the body apart. */
function read(stream: StreamedAnswer, ...pieces: readonly (string | Uint8Array)[]): void {
  for (const piece of pieces) stream.push(Buffer.from(piece));
  stream.flush();
}

/** What a sink is told. It is slow when `isFull` says so, until `drain`. */
function sinkOf(isFull: () => boolean = () => false) {
  const told: string[] = [];
  let drained = Promise.withResolvers<void>();
  const sink: Sink = {
    isOver: false,
    write: (text) => {
      told.push(text);
      return !isFull();
    },
    writable: () => drained.promise,
  };
  const drain = (): void => {
    drained.resolve();
    drained = Promise.withResolvers<void>();
  };
  return { sink, told, drain };
}

async function partsOf(stream: StreamedAnswer): Promise<StreamPart[]> {
  const parts: StreamPart[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

describe("a stream of an upstream, from bytes to parts", () => {
  it("tells the same text and the same end however its bytes are cut", async () => {
    const bytes = Buffer.from(WHOLE);
    const cuts = fc.array(fc.nat(bytes.length), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        const { stream, said } = streamed();
        const told = partsOf(stream);
        const sorted = [0, ...places.toSorted((a, b) => a - b), bytes.length];
        for (const [i, from] of sorted.entries()) {
          stream.push(bytes.subarray(from, sorted[i + 1] ?? bytes.length));
          if (from % 3 !== 0) stream.flush();
          // The reader has its turn in between, or not.
          if (from % 2 === 0) await undefined;
        }
        stream.ended();
        const parts = await told;
        assert.equal(parts.map(({ text }) => text).join(""), WHOLE);
        assert.equal(parts.at(-1)?.end?.outcome, "complete");
        assert.deepEqual(
          said.filter((what) => what !== "event"),
          ["begin", "whole"],
        );
      }),
    );
  });

  it("pours the same as it tells in parts, however its bytes are cut", async () => {
    const bytes = Buffer.from(WHOLE);
    const cuts = fc.array(fc.nat(bytes.length), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.nat(12), async (places, from) => {
        const { stream } = streamed();
        const { sink, told } = sinkOf();
        const sorted = [0, ...places.toSorted((a, b) => a - b), bytes.length];
        let last: Promise<LastPart | null> | null = null;
        for (const [i, at] of sorted.entries()) {
          // Some of it, or all, is there when it begins to pour.
          if (i === from) last = stream.pour(sink);
          stream.push(bytes.subarray(at, sorted[i + 1] ?? bytes.length));
          if (at % 3 !== 0) stream.flush();
        }
        stream.ended();
        const part = await (last ?? stream.pour(sink));
        assert.equal(told.join("") + part?.text, WHOLE);
        assert.equal(part?.end.outcome, "complete");
      }),
    );
  });

  it("pours all that one read brought at once", () => {
    const { stream, said } = streamed();
    const { sink, told } = sinkOf();
    void stream.pour(sink);
    read(stream, event("a"));
    read(stream, event("b"), event("c"), event("d").slice(0, 9));
    read(stream, event("d").slice(9), event("e"));
    assert.deepEqual(told, [event("a"), event("b") + event("c"), event("d") + event("e")]);
    assert.equal(said.filter((what) => what === "event").length, 5);
  });

  it("pours what came before a cut, and then the cut apart", async () => {
    const { stream, said } = streamed();
    const { sink, told } = sinkOf();
    const last = stream.pour(sink);
    read(stream, event("a"));
    stream.broke(Object.assign(new Error("gone"), { code: "ECONNRESET" }));
    const part = await last;
    assert.deepEqual(told, [event("a")]);
    assert.equal(part?.end.outcome, "cut");
    assert.deepEqual(said.slice(0, 2), ["event", "begin"]);
    assert.match(said[2] ?? "", /^cut: /);
  });

  it("pours no more into a full sink, stops reading, and goes on when that is drained", async () => {
    const { stream, said } = streamed();
    const { sink, told, drain } = sinkOf(() => told.length === 1);
    const last = stream.pour(sink);
    read(stream, event("a"));
    const much = event("b".repeat(40 * 1024));
    read(stream, much);
    assert.equal(said.includes("pause"), false);
    read(stream, much);
    assert.equal(said.at(-1), "pause");
    assert.deepEqual(told, [event("a")]);
    drain();
    await undefined;
    assert.equal(said.at(-1), "resume");
    assert.deepEqual(told, [event("a"), much + much]);
    read(stream, `${event("", "stop")}data: [DONE]\n\n`);
    assert.equal((await last)?.end.outcome, "complete");
  });

  it("gives no last part of what its reader leaves while it pours", async () => {
    const { stream, said } = streamed();
    const { sink } = sinkOf();
    const last = stream.pour(sink);
    read(stream, event("a"));
    await stream.return();
    assert.equal(await last, null);
    assert.equal(said.at(-1), "leave");
  });

  it("begins with its first sound event and not before", () => {
    const { stream, said } = streamed();
    read(stream, ": hello\n\ndata: {");
    assert.deepEqual(said, []);
    assert.equal(stream.begun, false);
    read(stream, event("a").slice("data: {".length));
    assert.deepEqual(said, ["event", "begin"]);
    assert.equal(stream.begun, true);
  });

  it("fails, with the event that says why, when nothing of it was told", () => {
    const { stream, said } = streamed();
    read(stream, `${event("never told")}data: {"error":{"message":"no room"}}\n\n`);
    assert.deepEqual(said, [
      "event",
      'failed: the model\'s server reported: no room ({"error":{"message":"no room"}})',
      "leave",
    ]);
  });

  it("fails when its body ends before any answer", () => {
    const { stream, said } = streamed();
    read(stream, ": only a comment\n\n");
    stream.ended();
    assert.deepEqual(said, ["failed: it ended before any answer (null)"]);
  });

  it("tells what came and then the cut, each apart, when its body breaks", async () => {
    const { stream, said } = streamed();
    read(stream, event("half an ans"));
    stream.broke(new Error("connection reset"));
    const parts = await partsOf(stream);
    assert.deepEqual(
      parts.map(({ end }) => end?.outcome ?? null),
      [null, "cut"],
    );
    assert.equal(parts[0]?.text, event("half an ans"));
    assert.match(parts[1]?.text ?? "", /stream_cut/);
    assert.deepEqual(said, ["event", "begin", "cut: connection reset"]);
  });

  it("stops reading while its reader is slow, and goes on once that has caught up", async () => {
    const { stream, said } = streamed();
    const long = event("x".repeat(40_000));
    read(stream, long);
    read(stream, long);
    read(stream, long);
    assert.deepEqual(
      said.filter((what) => what !== "event"),
      ["begin", "pause"],
    );
    const { value } = await stream.next();
    assert.equal(value?.text, long.repeat(3));
    assert.equal(said.at(-1), "resume");
  });

  it("is left when its reader leaves, and says nothing more", async () => {
    const { stream, said } = streamed();
    read(stream, event("a"));
    const waiting = [await stream.next(), stream.next()] as const;
    await stream.return();
    assert.deepEqual(await waiting[1], { done: true, value: undefined });
    read(stream, event("b"));
    stream.broke(new Error("its reader left"));
    assert.deepEqual(await stream.next(), { done: true, value: undefined });
    assert.deepEqual(said, ["event", "begin", "leave"]);
  });

  it("waits for the body's end behind [DONE], but not for a body without one", () => {
    const { stream, said } = streamed();
    read(stream, WHOLE);
    read(stream, ": bye\n\n");
    assert.equal(said.includes("leave"), false);
    for (let i = 0; i < 5; i++) stream.push(Buffer.alloc(1_000, 0x0a));
    assert.equal(said.includes("leave"), true);
  });
});
