import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { refuseForeignQuery } from "./compatible.ts";

const query = { embedding: "lex-1", vector: new Float32Array([1, 0]) };
const held = { embedding: "lex-1", dimensions: 2 };

describe("a query", () => {
  it("is welcome when every record is of its kind, or there is none", () => {
    refuseForeignQuery([held], query);
    refuseForeignQuery([], query);
  });

  it("is refused with both names when any record is of another version", () => {
    const other = { embedding: "lex-2", dimensions: 2 };
    assert.throws(() => refuseForeignQuery([other], query), {
      code: "INDEX_UNAVAILABLE",
      message: "index holds lex-2, query is lex-1",
    });
    assert.throws(() => refuseForeignQuery([held, other], query), {
      message: "index holds lex-1 and lex-2, query is lex-1, which not every record has",
    });
  });

  it("is refused with other dimensions, or with numbers that are none", () => {
    const longer = { ...query, vector: new Float32Array([1, 0, 0]) };
    assert.throws(() => refuseForeignQuery([held], longer), {
      message: "index holds lex-1 with 2 dimensions, query has 3",
    });
    const broken = { ...query, vector: new Float32Array([1, Number.NaN]) };
    assert.throws(() => refuseForeignQuery([], broken), { code: "INDEX_UNAVAILABLE" });
  });
});
