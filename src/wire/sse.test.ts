import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatSse, SSE_DONE, type SseItem, SseParser } from "./sse.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function parse(text: string, maxEventBytes?: number): SseItem[] {
  return new SseParser(maxEventBytes === undefined ? {} : { maxEventBytes }).push(bytesOf(text));
}

const message = (data: string): SseItem => ({ kind: "event", event: "message", data });

test("every line ending ends a line", () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    assert.deepEqual(parse(`data: a${end}data: b${end}${end}data: c${end}${end}`), [
      message("a\nb"),
      message("c"),
    ]);
  }
});

test("pieces of whole lines say what they say together, whatever ends the lines", () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    const lines = ["data: a", "data: b", "", ": ping", "event: tick", "data: c", "", "data: d", ""];
    const parser = new SseParser();
    const items = lines.flatMap((line) => parser.push(bytesOf(line + end)));
    const whole = new SseParser();
    const first = whole.push(bytesOf(`: first${end}`));
    const rest = whole.push(bytesOf(lines.map((line) => line + end).join("")));
    assert.deepEqual(items, [message("a\nb"), { ...message("c"), event: "tick" }, message("d")]);
    assert.deepEqual([...first, ...rest], items);
  }
});

test("comments, unknown fields and events without data are passed over", () => {
  const text = ": ping\n\nid: 7\nretry: 10\nfoo: bar\n\nevent: empty\n\nevent: tick\ndata\n\n";
  assert.deepEqual(parse(text), [{ kind: "event", event: "tick", data: "" }]);
});

test("exactly one space after the colon is taken off", () => {
  assert.deepEqual(parse("data:  two\n\ndata:none\n\n"), [message(" two"), message("none")]);
});

test("a byte order mark counts only at the very start", () => {
  assert.deepEqual(parse("\uFEFFdata: a\n\ndata: \uFEFFb\n\n\uFEFFdata: lost\n\n"), [
    message("a"),
    message("\uFEFFb"),
  ]);
});

test("an event whose blank line never came is not delivered, and is seen as partial", () => {
  const parser = new SseParser();
  assert.deepEqual(parser.push(bytesOf("data: whole\n\n")), [message("whole")]);
  assert.equal(parser.partial, false);
  assert.deepEqual(parser.push(bytesOf("data: half\n")), []);
  assert.equal(parser.partial, true);
  assert.deepEqual(parser.push(bytesOf("\n")), [message("half")]);
  assert.equal(parser.partial, false);
});

test("an event above the limit is a fault, and nothing is read after it", () => {
  const parser = new SseParser({ maxEventBytes: 20 });
  assert.deepEqual(parser.push(bytesOf("data: ok\n\n")), [message("ok")]);
  const items = parser.push(bytesOf(`data: ${"x".repeat(30)}`));
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ["fault"],
  );
  assert.deepEqual(parser.push(bytesOf("\n\ndata: later\n\n")), []);
});

test("an event above the limit is a fault, though it comes whole and alone", () => {
  const parser = new SseParser({ maxEventBytes: 20 });
  assert.deepEqual(parser.push(bytesOf("data: ok\n\n")), [message("ok")]);
  const items = parser.push(bytesOf(`data: ${"x".repeat(30)}\n\n`));
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ["fault"],
  );
});

test("many small lines of one event meet the limit too", () => {
  const items = parse("data: abc\n".repeat(10), 50);
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ["fault"],
  );
});

test("the caller may reuse its buffer", () => {
  const parser = new SseParser();
  const buffer = bytesOf("data: kept");
  parser.push(buffer);
  buffer.fill(120);
  assert.deepEqual(parser.push(bytesOf("\n\n")), [message("kept")]);
});

/** Text made of the pieces on which a parser can stumble. */
const streams = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "data:",
        "data: ",
        "event: ",
        ":",
        "\uFEFF",
        "é🌊",
      ),
      fc.string({ unit: "grapheme", maxLength: 5 }),
    ),
    { maxLength: 40 },
  )
  .map((pieces) => pieces.join(""));

test("any chunking gives the same items", () => {
  fc.assert(
    fc.property(
      streams,
      fc.array(fc.nat({ max: 9 })),
      fc.constantFrom(12, 1000),
      (text, cuts, max) => {
        const bytes = bytesOf(text);
        const parser = new SseParser({ maxEventBytes: max });
        const items: SseItem[] = [];
        let at = 0;
        for (const cut of cuts) {
          items.push(...parser.push(bytes.subarray(at, at + cut)));
          at += cut;
        }
        items.push(...parser.push(bytes.subarray(at)));
        assert.deepEqual(items, parse(text, max));
      },
    ),
    { numRuns: 500 },
  );
});

test("what is written is read back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (data) => {
      assert.deepEqual(parse(formatSse(data)), [message(data.replace(/\r\n|\r/g, "\n"))]);
    }),
  );
  assert.deepEqual(parse(formatSse("{}", "error\ndata: forged")), [
    { kind: "event", event: "error data: forged", data: "{}" },
  ]);
  assert.deepEqual(parse(SSE_DONE), [message("[DONE]")]);
});
