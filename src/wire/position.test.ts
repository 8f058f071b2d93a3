import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { markOf, positionWord, readPosition } from "./position.ts";

const DIGEST = "0123456789abcdef0123456789abcdef";

describe("the word for a position", () => {
  const words: [word: string, seq: number, epoch: number | null, mark: string | null][] = [
    ["187", 187, null, null],
    ["0", 0, null, null],
    ["187:5f0c9a12b3d4", 187, null, "5f0c9a12b3d4"],
    ["187/3:5f0c9a12b3d4", 187, 3, "5f0c9a12b3d4"],
  ];
  for (const [word, seq, epoch, mark] of words) {
    test(`${word} is read`, () => assert.deepEqual(readPosition(word), { seq, epoch, mark }));
  }

  for (const word of ["", "-1", "187/3", "187:", "187:5F0C9A12B3D4", "187:5f0c", "1.5", "soon"]) {
    test(`"${word}" is none`, () => assert.equal(readPosition(word), null));
  }

  test("is read as it was told", () => {
    const mark = markOf(187, DIGEST);
    assert.deepEqual(readPosition(positionWord({ seq: 187, digest: DIGEST }, 3)), {
      ...{ seq: 187, epoch: 3, mark },
    });
    assert.equal(positionWord({ seq: 187, digest: DIGEST }), `187:${mark}`);
  });

  test("differs by number and by contents, and does not tell the digest", () => {
    const marks = [markOf(1, DIGEST), markOf(2, DIGEST), markOf(1, DIGEST.replace("0", "1"))];
    assert.equal(new Set(marks).size, 3);
    assert.ok(!DIGEST.includes(markOf(1, DIGEST)));
  });
});
