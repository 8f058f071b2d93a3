import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Ownership } from "../model/intent.ts";
import { OwnershipBook } from "./ownership.ts";

const of = (epoch: number, region = "eu-west", frozen = false): Ownership => ({
  index: "handbook",
  epoch,
  region,
  frozen,
});

function learnt(...told: readonly Ownership[]): OwnershipBook {
  const book = new OwnershipBook();
  for (const one of told) book.learn([one], book.beginRead(0));
  return book;
}

describe("what a store read changes", () => {
  it("a higher epoch, and the freeze within one, both ways", () => {
    const book = learnt(of(1), of(2, "us-east", true));
    assert.deepEqual(book.of("handbook"), of(2, "us-east", true));
    book.learn([of(2, "us-east")], book.beginRead(0));
    assert.deepEqual(book.of("handbook"), of(2, "us-east"));
  });

  it("nothing, when its epoch is lower", () => {
    assert.deepEqual(learnt(of(2, "us-east"), of(1)).of("handbook"), of(2, "us-east"));
  });

  it("nothing about a freeze that was told while it read", () => {
    const book = learnt(of(1));
    const mark = book.beginRead(0);
    book.obey(of(1, "eu-west", true));
    book.learn([of(1)], mark);
    assert.deepEqual(book.of("handbook"), of(1, "eu-west", true));
    book.learn([of(1)], book.beginRead(0));
    assert.deepEqual(book.of("handbook"), of(1));
  });
});

describe("what a message changes", () => {
  it("a higher epoch, and a freeze within one", () => {
    const book = learnt(of(1));
    assert.deepEqual(book.obey(of(1, "eu-west", true)), of(1, "eu-west", true));
    assert.deepEqual(book.obey(of(2, "us-east")), of(2, "us-east"));
    assert.deepEqual(book.of("handbook"), of(2, "us-east"));
  });

  it("never thaws within one epoch: it may be a late one", () => {
    assert.deepEqual(learnt(of(1, "eu-west", true)).obey(of(1)), of(1, "eu-west", true));
  });

  it("is refused with a lower epoch, or with another owner of the same", () => {
    const book = learnt(of(2, "us-east"));
    for (const stale of [of(1, "us-east"), of(2)]) {
      assert.throws(() => book.obey(stale), { code: "EPOCH_STALE" });
    }
    assert.deepEqual(book.of("handbook"), of(2, "us-east"));
  });
});

it("never goes back to a lower epoch, whatever arrives in whatever order", () => {
  const word = fc.record({
    by: fc.constantFrom("store", "message"),
    epoch: fc.integer({ min: 1, max: 5 }),
    frozen: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const book = new OwnershipBook();
      let highest = 0;
      for (const { by, epoch, frozen } of words) {
        const told = of(epoch, `region-${epoch}`, frozen);
        if (by === "store") book.learn([told], book.beginRead(0));
        else if (epoch >= highest) book.obey(told);
        else assert.throws(() => book.obey(told));
        highest = Math.max(highest, epoch);
        assert.equal(book.of("handbook")?.epoch, highest);
      }
    }),
  );
});

it("knows how long ago a read that succeeded began", () => {
  const book = new OwnershipBook();
  assert.equal(book.unreadForMs(5), Number.POSITIVE_INFINITY);
  const mark = book.beginRead(10);
  assert.equal(book.unreadForMs(20), Number.POSITIVE_INFINITY);
  book.learn([], mark);
  assert.equal(book.unreadForMs(25), 15);
});
