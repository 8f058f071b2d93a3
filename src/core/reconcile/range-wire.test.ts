import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { payloadSchema } from "../../model/change.ts";
import { LEAF_BITS, type StoredRecord } from "../../model/record.ts";
import { recordDigest } from "./digest.ts";
import { NONCE_BYTES } from "./prints.ts";
import { decodeQuestion, encodeQuestion, type WireQuestion } from "./range-wire.ts";
import { decodeRecords, encodeWithin } from "./record-wire.ts";

const print = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => {
  return Buffer.from(bytes).toString("hex");
});
const range = fc
  .integer({ min: 0, max: LEAF_BITS })
  .chain((bits) => fc.nat(2 ** bits - 1).map((prefix) => ({ prefix, bits })));
const root = { prefix: 0, bits: 0 };
const nonce = Uint8Array.from(randomBytes(NONCE_BYTES));

const text = fc.string({ unit: "grapheme" });
const record = fc
  .record({
    id: text,
    audience: text,
    labels: fc.array(text, { maxLength: 3 }),
    embedding: text,
    vector: fc.uint8Array({ maxLength: 64 }),
    title: text,
    text,
    payload: fc
      .dictionary(text, fc.oneof(text, fc.integer()), { maxKeys: 3, noNullPrototype: true })
      .filter((payload) => payloadSchema.safeParse(payload).success),
  })
  .map((contents): StoredRecord => ({ ...contents, digest: recordDigest(contents) }));

describe("a comparison's question on the wire", () => {
  it("comes back as it was sent", () => {
    const question: fc.Arbitrary<WireQuestion> = fc.oneof(
      fc.record({ ask: fc.constant("sums" as const), split: fc.nat(LEAF_BITS) }).map((asked) => {
        return { ...asked, nonce, ranges: [root] };
      }),
      fc
        .record({ ask: fc.constant("marks" as const), skip: fc.nat(), ranges: fc.array(range) })
        .map((asked) => {
          return { ...asked, nonce };
        }),
      fc
        .record({
          ask: fc.constant("named" as const),
          whole: fc.boolean(),
          wanted: fc.array(
            fc.tuple(range, fc.array(print)).map(([one, prints]) => ({ ...one, prints })),
          ),
        })
        .map((asked) => ({ ...asked, nonce })),
    );
    fc.assert(
      fc.property(question, (asked) => {
        assert.deepEqual(decodeQuestion(encodeQuestion(asked)), asked);
      }),
    );
  });

  it("wants whole records only where records are named", () => {
    const asked: WireQuestion = { ask: "sums", nonce, split: 2, ranges: [root], whole: true };
    assert.equal(decodeQuestion(encodeQuestion(asked)).ask, "sums");
  });

  it("is refused when it is none, is cut, or asks for too much", () => {
    const asked = (question: WireQuestion): Buffer => encodeQuestion(question);
    const half = { prefix: 1, bits: 1 };
    const tooMuch = [
      asked({ ask: "sums", nonce, split: LEAF_BITS + 1, ranges: [root] }),
      asked({ ask: "sums", nonce, split: LEAF_BITS, ranges: [half] }),
      asked({ ask: "sums", nonce, split: 15, ranges: Array.from({ length: 3 }, () => half) }),
      asked({ ask: "marks", nonce, skip: 0, ranges: [{ prefix: 2, bits: 1 }] }),
      asked({ ask: "marks", nonce, skip: 0, ranges: [{ prefix: 0, bits: LEAF_BITS + 1 }] }),
      asked({ ask: "sums", nonce, split: 1, ranges: [half, root] }).subarray(0, 20),
    ];
    for (const bytes of tooMuch) assert.throws(() => decodeQuestion(bytes), { code: "USAGE" });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeQuestion(bytes);
        } catch (error) {
          assert.equal((error as { code?: string }).code, "USAGE");
        }
      }),
    );
  });
});

describe("records on the wire", () => {
  it("come back as they were sent, to the byte", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 5 }), (records) => {
        assert.deepEqual(decodeRecords(encodeWithin(records, 1e9)), records);
      }),
    );
  });

  it("are sent as many as fit, and always one", () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 8 }),
        fc.nat(500),
        (records, most) => {
          const sent = encodeWithin(records, most);
          const told = decodeRecords(sent);
          assert.ok(told.length >= 1);
          assert.ok(told.length === 1 || sent.length <= most);
          assert.deepEqual(told, records.slice(0, told.length));
        },
      ),
    );
  });

  it("take little more than what they hold", () => {
    const vector = new Uint8Array(512);
    const texts = { id: "doc-000001", audience: "public", title: "", text: "", embedding: "e1" };
    const contents = { ...texts, labels: [], payload: {}, vector };
    const sent = encodeWithin([{ ...contents, digest: recordDigest(contents) }], 1e9);
    assert.ok(sent.length <= 512 + 18 + 30, `${sent.length} bytes`);
  });

  it("that are no records are refused", () => {
    assert.throws(() => decodeRecords(new Uint8Array([200])), { code: "PEER_UNAVAILABLE" });
  });
});
