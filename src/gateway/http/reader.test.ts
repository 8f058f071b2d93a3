import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { AnswerHead } from "./answer-head.ts";
import { BadMessage } from "./message.ts";
import { readingAnswers } from "./reader.ts";

interface Told {
  readonly heads: AnswerHead[];
  readonly body: string;
  /** Bytes behind the answer. */
  readonly behind: string;
  readonly isWhole: boolean;
}

/** What a reader makes of bytes in these pieces. The pieces are spoilt as soon as they were read. */
function read(pieces: readonly Buffer[]): Told {
  const heads: AnswerHead[] = [];
  let body = "";
  let behind = "";
  const reader = readingAnswers({
    onHead: (head) => heads.push(head),
    onBody: (piece) => {
      body += piece.toString("latin1");
    },
  });
  reader.begin();
  for (const piece of pieces) {
    const bytes = Buffer.from(piece);
    const taken = reader.push(bytes, 0, bytes.length);
    behind += bytes.toString("latin1", taken);
    bytes.fill("!");
  }
  return { heads, body, behind, isWhole: reader.isWhole };
}

function readAll(text: string): Told {
  return read([Buffer.from(text, "latin1")]);
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  const sorted = at.toSorted((a, b) => a - b);
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end));
}

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;

const SOUND: readonly (readonly [name: string, text: string, body: string, isWhole: boolean])[] = [
  ["a length", `${OK}content-length: 5\r\n\r\nhello`, "hello", true],
  ["a length of zero", `${OK}Content-Length: 0\r\n\r\n`, "", true],
  ["no reason", "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", "ok", true],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok", true],
  ["no body by its status", "HTTP/1.1 204 No Content\r\n\r\n", "", true],
  [
    "a body up to the end of the connection",
    `${OK}x: y\r\n\r\nhel\r\n\r\nlo`,
    "hel\r\n\r\nlo",
    false,
  ],
  ["chunks", `${CHUNKED}3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`, "hello", true],
  ["chunks with extensions", `${CHUNKED}5;a=b;c="d e"\r\nhello\r\n0;z\r\n\r\n`, "hello", true],
  ["chunks with trailers", `${CHUNKED}5\r\nhello\r\n0\r\nx: y\r\nz: \r\n\r\n`, "hello", true],
  ["a chunk size with zeros", `${CHUNKED}0005\r\nhello\r\n000\r\n\r\n`, "hello", true],
  [
    "an early answer",
    `HTTP/1.1 103 Early\r\nlink: x\r\n\r\n${OK}content-length: 1\r\n\r\n.`,
    ".",
    true,
  ],
  ["100 bytes in hex", `${CHUNKED}aF\r\n${"x".repeat(175)}\r\n0\r\n\r\n`, "x".repeat(175), true],
];

const MALFORMED: readonly (readonly [name: string, text: string])[] = [
  ["no HTTP", "SSH-2.0-OpenSSH\r\n\r\n"],
  ["HTTP/2", "HTTP/2 200\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["bare line feeds", "HTTP/1.1 200 OK\ncontent-length: 2\n\nok\r\n\r\n"],
  ["a bare CR in a value", `${OK}x: a\rb\r\n\r\n`],
  ["a NUL in a value", `${OK}x: a\0b\r\n\r\n`],
  ["a folded header", `${OK}x: a\r\n b\r\n\r\n`],
  ["a blank before the colon", `${OK}content-length : 5\r\n\r\nhello`],
  ["no name", `${OK}: a\r\n\r\n`],
  ["no colon", `${OK}content-length\r\n\r\n`],
  ["two lengths", `${OK}content-length: 5\r\ncontent-length: 4\r\n\r\nhello`],
  ["the same length twice", `${OK}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`],
  ["a length with a sign", `${OK}content-length: +5\r\n\r\nhello`],
  ["a length in hex", `${OK}content-length: 0x5\r\n\r\nhello`],
  ["an empty length", `${OK}content-length:\r\n\r\nhello`],
  [
    "a length beside chunks",
    `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ["another coding", `${OK}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  [
    "chunked twice",
    `${OK}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ["a coding with a strange blank", `${OK}transfer-encoding: \xa0chunked\r\n\r\n0\r\n\r\n`],
  ["a chunk without a size", `${CHUNKED}\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size that is no number", `${CHUNKED}5x\r\nhello\r\n0\r\n\r\n`],
  ["a negative chunk size", `${CHUNKED}-5\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size beyond all numbers", `${CHUNKED}fffffffffffffffff\r\nhello`],
  ["a chunk size ended by a line feed", `${CHUNKED}5\nhello\r\n0\r\n\r\n`],
  ["a chunk longer than its size", `${CHUNKED}4\r\nhello\r\n0\r\n\r\n`],
  ["an extension with a line feed", `${CHUNKED}5;a\nb\r\nhello\r\n0\r\n\r\n`],
  ["a trailer with a line feed", `${CHUNKED}0\r\nx: y\nz: 0\r\n\r\n`],
  ["another protocol", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"],
  ["a head without end", `${OK}${"x: y\r\n".repeat(4_000)}`],
  ["trailers without end", `${CHUNKED}0\r\n${"x: y\r\n".repeat(4_000)}`],
  ["early answers without end", "HTTP/1.1 103 Early\r\n\r\n".repeat(40)],
];

describe("the reader of answers", () => {
  for (const [name, text, body, isWhole] of SOUND) {
    it(`reads ${name}, however its bytes are cut`, () => {
      const bytes = Buffer.from(text, "latin1");
      const uncut = read([bytes]);
      assert.deepEqual(
        {
          body: uncut.body,
          isWhole: uncut.isWhole,
          heads: uncut.heads.length,
          behind: uncut.behind,
        },
        { body, isWhole, heads: 1, behind: "" },
      );
      assert.deepEqual(read([...bytes].map((byte) => Buffer.of(byte))), uncut);
      fc.assert(
        fc.property(fc.array(fc.nat()), (cuts) => {
          assert.deepEqual(read(cutAt(bytes, cuts)), uncut);
        }),
      );
    });
  }

  for (const [name, text] of MALFORMED) {
    it(`refuses ${name}, however its bytes are cut`, () => {
      const bytes = Buffer.from(text, "latin1");
      assert.throws(() => read([bytes]), BadMessage);
      assert.throws(() => read([...bytes].map((byte) => Buffer.of(byte))), BadMessage);
    });
  }

  it("leaves what stands behind an answer", () => {
    const next = "HTTP/1.1 500 Not yours\r\n\r\n";
    assert.equal(readAll(`${OK}content-length: 2\r\n\r\nok${next}`).behind, next);
    assert.equal(readAll(`${CHUNKED}2\r\nok\r\n0\r\n\r\n${next}`).behind, next);
    assert.equal(
      readAll(`HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n${next}`).behind,
      next,
    );
  });

  it("ends at the end of the connection only where that is the answer's own end", () => {
    const ends = (text: string): boolean => {
      const reader = readingAnswers({ onHead: () => undefined, onBody: () => undefined });
      reader.begin();
      const bytes = Buffer.from(text, "latin1");
      reader.push(bytes, 0, bytes.length);
      return reader.ended();
    };
    assert.equal(ends(`${OK}\r\nhello`), true);
    for (const cut of [OK, `${OK}content-length: 6\r\n\r\nhello`, `${CHUNKED}5\r\nhello\r\n`])
      assert.equal(ends(cut), false);
  });

  it("tells names in lower case, and what came several times together", () => {
    const text = `${OK}X-A: \t1 \r\nx-a:2\r\nconstructor: c\r\nVia: caf\xe9\r\ncontent-length: 0\r\n\r\n`;
    const [head] = readAll(text).heads;
    assert.deepEqual(head?.headers, {
      "x-a": "1, 2",
      constructor: "c",
      via: "caf\xe9",
      "content-length": "0",
    });
  });

  it("says whether, and for how long, the connection may be used again", () => {
    const kept = (first: string, headers: string) => {
      const [head] = readAll(`${first}\r\ncontent-length: 0\r\n${headers}\r\n`).heads;
      return [head?.reusable, head?.keptMs];
    };
    assert.deepEqual(kept("HTTP/1.1 200 OK", ""), [true, null]);
    assert.deepEqual(kept("HTTP/1.1 200 OK", "Connection: Close\r\n"), [false, null]);
    assert.deepEqual(kept("HTTP/1.1 200 OK", "connection: x, close\r\n"), [false, null]);
    assert.deepEqual(kept("HTTP/1.0 200 OK", ""), [false, null]);
    assert.deepEqual(kept("HTTP/1.0 200 OK", "connection: keep-alive\r\n"), [true, null]);
    assert.deepEqual(kept("HTTP/1.1 200 OK", "keep-alive: timeout=7, max=9\r\n"), [true, 7_000]);
    assert.equal(readAll(`${OK}\r\n`).heads[0]?.reusable, false);
  });

  it("takes no bytes of chance for an answer, and never fails but by BadMessage", () => {
    const alphabet = fc.constantFrom(
      ...["HTTP/1.1 200 OK\r\n", "transfer-encoding: chunked\r\n", "content-length: 3\r\n"],
      ...["\r\n", "5\r\n", "0\r\n", "hello", "\r", "\n", ":", " ", "\0", "\xff"],
    );
    fc.assert(
      fc.property(fc.array(alphabet), fc.array(fc.nat()), (words, cuts) => {
        const bytes = Buffer.from(words.join(""), "latin1");
        const outcome = (pieces: readonly Buffer[]): unknown => {
          try {
            return read(pieces);
          } catch (error) {
            assert.ok(error instanceof BadMessage);
            return "refused";
          }
        };
        assert.deepEqual(outcome(cutAt(bytes, cuts)), outcome([bytes]));
      }),
      { numRuns: 500 },
    );
  });
});
