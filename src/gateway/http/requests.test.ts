import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { nodeReads, type Read, weRead } from "./node-reads.fixture.ts";

const HOST = "host: a.test\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}`;
const POST = `POST /v1 HTTP/1.1\r\n${HOST}`;
const CHUNKED = `${POST}transfer-encoding: chunked\r\n\r\n`;
const NEXT = `GET /next HTTP/1.1\r\n${HOST}\r\n`;

type Case = readonly [name: string, text: string];

/** Both read these, and the same of them. */
const TAKEN: readonly Case[] = [
  ["a request without a body", `${GET}\r\n`],
  ["a length", `${POST}content-length: 5\r\n\r\nhello`],
  ["a length of zero", `${POST}Content-Length: 0\r\n\r\n`],
  ["a length with zeros before it", `${POST}content-length: 0005\r\n\r\nhello`],
  ["a length with blanks around it", `${POST}content-length: \t 5 \t\r\n\r\nhello`],
  ["a body behind GET", `${GET}content-length: 2\r\n\r\nok`],
  ["chunks", `${CHUNKED}3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`],
  ["a chunk size with zeros", `${CHUNKED}0005\r\nhello\r\n000\r\n\r\n`],
  ["chunk sizes in either case", `${CHUNKED}aF\r\n${"x".repeat(175)}\r\n0\r\n\r\n`],
  ["a coding in capitals", `${POST}Transfer-Encoding: CHUNKED\r\n\r\n2\r\nok\r\n0\r\n\r\n`],
  ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"],
  ["HTTP/1.0 with a length", "POST / HTTP/1.0\r\ncontent-length: 2\r\n\r\nok"],
  ["a query", `GET /v1?a=b&c=%20 HTTP/1.1\r\n${HOST}\r\n`],
  ["OPTIONS of all", `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`],
  ...["HEAD", "PUT", "PATCH", "DELETE"].map((m): Case => [m, `${m} / HTTP/1.1\r\n${HOST}\r\n`]),
  ["a header without a value", `${GET}x-a:\r\n\r\n`],
  ["a header without a blank", `${GET}x-a:b\r\n\r\n`],
  ["tabs and blanks around a value", `${GET}x-a: \t b c\t \r\n\r\n`],
  ["a value beyond ASCII", `${GET}x-a: caf\xe9\r\n\r\n`],
  ["a name of odd characters", `${GET}!#$%&'*+.^_\`|~-9z: 1\r\n\r\n`],
  ["names of every object", `${GET}constructor: c\r\n__proto__: p\r\nhasownproperty: h\r\n\r\n`],
  ["a list in two headers", `${GET}x-a: 1\r\nX-A: 2\r\naccept: a\r\nAccept: b\r\n\r\n`],
  ["two cookies", `${GET}cookie: a=1\r\ncookie: b=2\r\n\r\n`],
  ["who waits to go on", `${POST}expect: 100-continue\r\ncontent-length: 2\r\n\r\nok`],
  ["a wish for another protocol", `${GET}connection: upgrade\r\nupgrade: h2c\r\n\r\n`],
  ["several, one behind the other", `${NEXT}${POST}content-length: 2\r\n\r\nok${NEXT}${NEXT}`],
  ["chunks, and another behind them", `${CHUNKED}2\r\nok\r\n0\r\n\r\n${NEXT}`],
  ["a host with a port", "GET / HTTP/1.1\r\nhost: [::1]:80\r\n\r\n"],
  ["no host to speak of", "GET / HTTP/1.1\r\nhost:\r\n\r\n"],
];

/** Neither reads these. */
const REFUSED: readonly Case[] = [
  ["no HTTP", "SSH-2.0-OpenSSH_9.9\r\n\r\n"],
  ["a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n\r\n"],
  ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["HTTP/1.2", `GET / HTTP/1.2\r\n${HOST}\r\n`],
  ["HTTP/3", `GET / HTTP/3.0\r\n${HOST}\r\n`],
  ["a version of two digits", `GET / HTTP/1.10\r\n${HOST}\r\n`],
  ["a version in small letters", `GET / http/1.1\r\n${HOST}\r\n`],
  ["no target", `GET HTTP/1.1\r\n${HOST}\r\n`],
  ["a blank behind the version", `GET / HTTP/1.1 \r\n${HOST}\r\n`],
  ["a tab for a blank", `GET\t/ HTTP/1.1\r\n${HOST}\r\n`],
  ["a control character in the target", `GET /a\x01b HTTP/1.1\r\n${HOST}\r\n`],
  ["a NUL in the target", `GET /a\0b HTTP/1.1\r\n${HOST}\r\n`],
  ["bytes beyond ASCII in the target", `GET /caf\xe9 HTTP/1.1\r\n${HOST}\r\n`],
  ["a target that is no path", `GET v1 HTTP/1.1\r\n${HOST}\r\n`],
  ["a method in small letters", `get / HTTP/1.1\r\n${HOST}\r\n`],
  ["an unknown method", `FETCH / HTTP/1.1\r\n${HOST}\r\n`],
  ["a tunnel", "CONNECT a.test:443 HTTP/1.1\r\nhost: a.test\r\n\r\n"],
  ["bare line feeds", "GET / HTTP/1.1\nhost: a.test\n\n"],
  ["one bare line feed", `GET / HTTP/1.1\r\nx: y\n${HOST}\r\n`],
  ["a bare CR in a value", `${GET}x: a\rb\r\n\r\n`],
  ["a bare CR for a line's end", `${GET}x: a\ry: b\r\n\r\n`],
  ["a NUL in a value", `${GET}x: a\0b\r\n\r\n`],
  ["a NUL in a name", `${GET}x\0: ab\r\n\r\n`],
  ["a DEL in a value", `${GET}x: a\x7fb\r\n\r\n`],
  ["a folded header", `${GET}x: a\r\n b\r\n\r\n`],
  ["a header folded with a tab", `${GET}x: a\r\n\tb\r\n\r\n`],
  ["a blank before the first header", `GET / HTTP/1.1\r\n x: y\r\n${HOST}\r\n`],
  ["a blank before the colon", `${POST}content-length : 5\r\n\r\nhello`],
  ["a blank in a name", `${GET}x y: z\r\n\r\n`],
  ["no name", `${GET}: a\r\n\r\n`],
  ["no colon", `${GET}content-length\r\n\r\n`],
  ["a name beyond ASCII", `${GET}caf\xe9: a\r\n\r\n`],
  ["no host", "GET / HTTP/1.1\r\n\r\n"],
  ["two lengths", `${POST}content-length: 5\r\ncontent-length: 4\r\n\r\nhello`],
  ["the same length twice", `${POST}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`],
  ["a list of lengths", `${POST}content-length: 5, 5\r\n\r\nhello`],
  ["a length with a sign", `${POST}content-length: +5\r\n\r\nhello`],
  ["a negative length", `${POST}content-length: -1\r\n\r\nhello`],
  ["a length in hex", `${POST}content-length: 0x5\r\n\r\nhello`],
  ["a length with a point", `${POST}content-length: 5.0\r\n\r\nhello`],
  ["an empty length", `${POST}content-length:\r\n\r\nhello`],
  ["a length beyond all numbers", `${POST}content-length: 99999999999999999999\r\n\r\n`],
  ["a length beside chunks", `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`],
  ["chunks beside a length", `${POST}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n`],
  ["a coding that is not chunked", `${POST}transfer-encoding: gzip\r\n\r\n`],
  ["chunked, and then another", `${POST}transfer-encoding: chunked, gzip\r\n\r\n`],
  [
    "chunked in an own line before another",
    `${POST}transfer-encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n`,
  ],
  ["chunked twice", `${POST}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n`],
  ["a word that begins as chunked", `${POST}transfer-encoding: chunkedfoo\r\n\r\n`],
  ["a coding with a strange blank", `${POST}transfer-encoding: \xa0chunked\r\n\r\n0\r\n\r\n`],
  ["a coding with a tab behind it", `${POST}transfer-encoding: chunked\t\r\n\r\n0\r\n\r\n`],
  ["a coding in quotes", `${POST}transfer-encoding: "chunked"\r\n\r\n0\r\n\r\n`],
  ["a chunk without a size", `${CHUNKED}\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size that is no number", `${CHUNKED}5x\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size with a prefix", `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n`],
  ["a negative chunk size", `${CHUNKED}-5\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size beyond all numbers", `${CHUNKED}fffffffffffffffff\r\nhello`],
  ["a blank before a chunk size", `${CHUNKED} 5\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size ended by a line feed", `${CHUNKED}5\nhello\r\n0\r\n\r\n`],
  ["a chunk longer than its size", `${CHUNKED}4\r\nhello\r\n0\r\n\r\n`],
  ["a chunk ended by a line feed", `${CHUNKED}5\r\nhello\n0\r\n\r\n`],
  ["an extension with a line feed", `${CHUNKED}5;a\nb\r\nhello\r\n0\r\n\r\n`],
  ["a trailer with a line feed", `${CHUNKED}0\r\nx: y\nz: 0\r\n\r\n`],
  ["an expectation that nobody knows", `${POST}expect: 200-ok\r\ncontent-length: 2\r\n\r\nok`],
  ["a head without end", `${GET}${"x: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(700)}\r\n`],
  ["one endless header", `${GET}x: ${"y".repeat(17_000)}\r\n\r\n`],
  ["an endless target", `GET /${"y".repeat(17_000)} HTTP/1.1\r\n${HOST}\r\n`],
];

/** Node reads these and we do not, each for a reason that `docs/adr/0020` gives. */
const STRICTER: readonly (readonly [...Case, status: number])[] = [
  ["an empty line before a request", `\r\n${NEXT}`, 400],
  ["a line feed before a request", `\n${NEXT}`, 400],
  ["a fragment", `GET /a#b HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["no version", "GET /\r\n\r\n", 400],
  ["a whole URL as the target", `GET http://b.test/ HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["the target of all, asked to be told", `GET * HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["a method of WebDAV", `PROPFIND / HTTP/1.1\r\n${HOST}\r\n`, 501],
  ["an echo of all that was sent", `TRACE / HTTP/1.1\r\n${HOST}\r\n`, 501],
  ["HTTP/0.9, said so", `GET / HTTP/0.9\r\n${HOST}\r\n`, 505],
  ["HTTP/2.0 without its preface", `GET / HTTP/2.0\r\n${HOST}\r\n`, 505],
  ["two hosts", `${GET}host: b.test\r\n\r\n`, 400],
  ["a host that is none", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400],
  ["a list of hosts", "GET / HTTP/1.1\r\nhost: a, b\r\n\r\n", 400],
  ["two keys", `${GET}authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n`, 400],
  ["two content types", `${GET}content-type: a\r\ncontent-type: b\r\n\r\n`, 400],
  ["a coding before chunked", `${POST}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 501],
  ["chunks in HTTP/1.0", "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400],
  ["an extension of a chunk", `${CHUNKED}5;a=b\r\nhello\r\n0\r\n\r\n`, 400],
  ["a trailer", `${CHUNKED}0\r\nx: y\r\n\r\n`, 400],
  ["more than 128 headers", `${GET}${"x: y\r\n".repeat(128)}\r\n`, 431],
  [
    "an expectation beside the known one",
    `${POST}expect: 100-continue, x\r\ncontent-length: 0\r\n\r\n`,
    417,
  ],
  [
    "an unknown coding beside a wish for another protocol",
    `${GET}connection: upgrade\r\nupgrade: x\r\ntransfer-encoding: y\r\n\r\n`,
    501,
  ],
  ["a coding with a tab before it", `${POST}transfer-encoding:\tchunked\r\n\r\n0\r\n\r\n`, 400],
  ["a length of a petabyte", `${POST}content-length: 1000000000000000\r\n\r\n`, 400],
  ["a chunk of 16 TiB", `${CHUNKED}1000000000000\r\n`, 400],
];

function bytesOf(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function each(bytes: Buffer): Buffer[] {
  return [...bytes].map((byte) => Buffer.of(byte));
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  const sorted = at.toSorted((a, b) => a - b);
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end));
}

describe("requests as node:http reads them", () => {
  for (const [name, text] of TAKEN) {
    it(`takes ${name}, however its bytes are cut`, async () => {
      const bytes = bytesOf(text);
      const ours = weRead([bytes]);
      assert.equal(ours.refused, null);
      assert.ok(ours.requests.length > 0 && ours.requests.every(({ isWhole }) => isWhole));
      assert.deepEqual(ours, await nodeReads([bytes]));
      assert.deepEqual(weRead(each(bytes)), ours);
    });
  }

  for (const [name, text] of REFUSED) {
    it(`refuses ${name}, however its bytes are cut`, async () => {
      const bytes = bytesOf(text);
      const theirs = await nodeReads([bytes]);
      assert.notEqual(theirs.refused, null, "node refuses it, too");
      for (const pieces of [[bytes], each(bytes)]) {
        const ours = weRead(pieces);
        assert.notEqual(ours.refused, null);
        // Of chunks, the head was sound and told before.
        assert.ok(!ours.requests.some(({ isWhole }) => isWhole));
      }
    });
  }

  for (const [name, text, status] of STRICTER) {
    it(`refuses ${name}, which node takes`, async () => {
      const bytes = bytesOf(text);
      assert.equal((await nodeReads([bytes])).refused, null, "node takes it");
      for (const pieces of [[bytes], each(bytes)]) {
        const ours = weRead(pieces);
        assert.equal(ours.refused?.status, status);
        assert.ok(!ours.requests.some(({ isWhole }) => isWhole));
      }
    });
  }

  it("never takes a request that node does not, nor reads another one in it", async () => {
    await fc.assert(
      fc.asyncProperty(connections(), fc.array(fc.nat(), { maxLength: 6 }), async (text, cuts) => {
        const bytes = bytesOf(text);
        const ours = weRead([bytes]);
        const cut = weRead(cutAt(bytes, cuts));
        assert.deepEqual(cut.requests, ours.requests, "the cuts change nothing");
        // Which of its faults is seen first may differ.
        assert.equal(cut.refused === null, ours.refused === null);
        const theirs = await nodeReads([bytes]);
        const whole = ({ isWhole }: Read): boolean => isWhole;
        const taken = ours.requests.filter(whole);
        assert.deepEqual(taken, theirs.requests.filter(whole).slice(0, taken.length));
        // A head that is told before its body is there is the same, too.
        const heads = ours.requests.map(({ body: _, isWhole: __, ...head }) => head);
        const theirHeads = theirs.requests.map(({ body: _, isWhole: __, ...head }) => head);
        assert.deepEqual(heads, theirHeads.slice(0, heads.length));
        if (theirs.refused !== null) return;
        if (ours.refused !== null) assert.match(ours.refused.because, KNOWN_STRICTER);
        else assert.equal(ours.requests.length, theirs.requests.length);
      }),
      { numRuns: 3_000 },
    );
  });
});

/** In our reader's words, what the table of `STRICTER` holds. */
const KNOWN_STRICTER = new RegExp(
  [
    "does not begin as HTTP/1.1 does",
    "target is no path",
    "the method \\S+ is not taken",
    "HTTP/\\d\\.\\d is not spoken here",
    "header host is malformed",
    "has the header \\S+ twice",
    "has the transfer coding|the transfer coding of the request has a tab",
    "which HTTP/1.0 does not know",
    "the chunks of the request are malformed",
    "expects .*100-continue",
    "has no plain length",
    "does not end with CRLF",
    "more than 128 headers",
    "bytes behind the last request",
  ].join("|"),
);

/** The bytes of a connection: requests in a row, sound ones and ones of parts that do not fit. */
function connections(): fc.Arbitrary<string> {
  const sound = fc.constantFrom(...TAKEN.map(([, text]) => text));
  const judged = fc.constantFrom(
    ...[...TAKEN, ...REFUSED.slice(0, -3), ...STRICTER].map(([, text]) => text),
  );
  const request = fc.oneof(
    { weight: 3, arbitrary: sound },
    { weight: 2, arbitrary: ofParts() },
    { weight: 1, arbitrary: judged },
  );
  return fc
    .tuple(fc.array(request, { minLength: 1, maxLength: 4 }), fc.array(spoil(), { maxLength: 3 }))
    .map(([requests, spoils]) => spoils.reduce((text, change) => change(text), requests.join("")));
}

const LINES: readonly string[] = [
  "host: a.test\r\n",
  "content-length: 5\r\n",
  "content-length: 0\r\n",
  "transfer-encoding: chunked\r\n",
  "connection: close\r\n",
  "connection: keep-alive, x\r\n",
  "expect: 100-continue\r\n",
  "upgrade: websocket\r\nconnection: upgrade\r\n",
  "x-a:  1 \r\n",
  "x-a: \xff\r\n",
  "authorization: Bearer k\r\n",
  "cookie: a=b\r\n",
  "accept: */*\r\n",
];
const BODIES: readonly string[] = [
  "",
  "hello",
  "5\r\nhello\r\n0\r\n\r\n",
  "0\r\n\r\n",
  "0\r\nx: y\r\n\r\n",
];

function ofParts(): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.constantFrom("GET", "POST", "HEAD", "PUT", "OPTIONS"),
      fc.constantFrom("/", "/v1/chat?x=1", "*", "//a", "/%zz"),
      fc.constantFrom("1.1", "1.1", "1.1", "1.0"),
      fc.subarray([...LINES, ...LINES], { maxLength: 6 }),
      fc.constantFrom(...BODIES),
    )
    .map(([method, target, version, lines, body]) =>
      [`${method} ${target} HTTP/${version}\r\n`, ...lines, "\r\n", body].join(""),
    );
}

/** One byte or one odd piece put in, taken out or put in the place of another. */
function spoil(): fc.Arbitrary<(text: string) => string> {
  const odd = fc.constantFrom(
    ...["\r", "\n", "\r\n", "\0", " ", "\t", ":", ";", ",", "\x7f", "\x80", "\xff", "0", "5", "a"],
    ...["chunked", "content-length: 5\r\n", "Transfer-Encoding : chunked\r\n", "\r\n ", "HTTP/1.1"],
  );
  return fc
    .tuple(fc.constantFrom("in", "out", "instead"), fc.nat(), odd)
    .map(([how, where, piece]) => (text) => {
      const at = where % (text.length + 1);
      const put = how === "out" ? "" : piece;
      return text.slice(0, at) + put + text.slice(how === "in" ? at : at + 1);
    });
}
