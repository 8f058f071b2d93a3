import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { realClock } from "../../../test/support/gateway-world.ts";
import { Stop } from "../../lib/stop.ts";
import type { EmbeddedChange } from "../../ports/index.ts";
import { MemoryIndex } from "../../sim/index.ts";
import { HEADERS } from "../../wire/headers.ts";
import { markOf, positionWord, readPosition } from "../../wire/position.ts";
import { DEFAULT_TIMEOUTS } from "../options.ts";
import { awaited, standingAt, wantedPositions } from "./min-position.ts";

function upsert(id: string): EmbeddedChange {
  const vector = Buffer.alloc(16).fill(1).toString("base64");
  const none = { title: "", text: "", labels: [], payload: {} };
  return {
    ...{ op: "upsert", id, audience: "public", sourceTime: 1, embedding: "m", vector },
    ...none,
  };
}

/** Two regions with two changes in common; the first wrote a third one that it never shipped. */
async function torn() {
  const [lostOwner, newOwner] = [new MemoryIndex(), new MemoryIndex()];
  await lostOwner.append(3, [upsert("a"), upsert("b")]);
  await newOwner.apply(await lostOwner.entriesAfter(0, 9));
  const lost = await lostOwner.append(3, [upsert("revoked")]);
  return { lostOwner, newOwner, lost };
}

function wanted(word: string) {
  return [readPosition(word) ?? assert.fail(word)];
}

describe("how a copy stands to the position that a caller needs", () => {
  type Torn = Awaited<ReturnType<typeof torn>>;
  const table: [
    what: string,
    word: (of: Torn) => Promise<string> | string,
    changes: (newOwner: MemoryIndex) => Promise<unknown>,
    expected: object,
  ][] = [
    ["shipped, by its number alone", () => "2", async () => undefined, { kind: "reached" }],
    [
      "shipped, and its newest",
      async ({ newOwner }) => positionWord(await newOwner.position(), 3),
      async () => undefined,
      { kind: "reached" },
    ],
    [
      "shipped, and long gone by",
      async ({ newOwner }) => positionWord(await newOwner.position(), 3),
      (newOwner) => newOwner.append(4, [upsert("c"), upsert("d")]),
      { kind: "reached" },
    ],
    [
      "lost, by its number alone: the weak form cannot tell",
      () => "3",
      (newOwner) => newOwner.append(4, [upsert("c")]),
      { kind: "reached" },
    ],
    [
      "lost, and its number is another's by now",
      ({ lost }) => positionWord(lost, 3),
      (newOwner) => newOwner.append(4, [upsert("c")]),
      { kind: "lost", wanted: 3 },
    ],
    [
      "lost, told without its ownership",
      ({ lost }) => positionWord(lost),
      (newOwner) => newOwner.append(4, [upsert("c"), upsert("d")]),
      { kind: "lost", wanted: 3 },
    ],
    [
      "lost, for a later ownership goes on from below it",
      ({ lost }) => positionWord({ ...lost, seq: 9 }, 3),
      (newOwner) => newOwner.append(4, [upsert("c")]),
      { kind: "lost", wanted: 9 },
    ],
    [
      "lost, which nobody can know before the new owner has written",
      ({ lost }) => positionWord(lost, 3),
      async () => undefined,
      { kind: "behind", at: 2, wanted: 3 },
    ],
    [
      "of a later ownership than this copy has heard of under that number",
      () => `2/9:${"0".repeat(12)}`,
      async () => undefined,
      { kind: "behind", at: 2, wanted: 2 },
    ],
    [
      "older than the log reaches",
      ({ newOwner }) =>
        newOwner.markAt(1).then((mark) => `1/3:${markOf(1, mark?.digestAfter ?? "")}`),
      async (newOwner) => {
        await newOwner.append(4, [upsert("c")]);
        await newOwner.trimLog(2);
      },
      { kind: "unproven", wanted: 1 },
    ],
    [
      "of an empty index",
      () => `0:${markOf(0, "0".repeat(32))}`,
      async () => undefined,
      { kind: "reached" },
    ],
  ];
  for (const [what, word, changes, expected] of table) {
    test(`a change that is ${what}`, async () => {
      const of = await torn();
      const positions = wanted(await word(of));
      await changes(of.newOwner);
      assert.deepEqual(await standingAt(of.newOwner, positions), expected);
    });
  }

  test("the region that wrote what was lost has it, until it takes it back", async () => {
    const { lostOwner, newOwner, lost } = await torn();
    const positions = wanted(positionWord(lost, 3));
    assert.deepEqual(await standingAt(lostOwner, positions), { kind: "reached" });
    await newOwner.append(4, [upsert("c")]);
    await lostOwner.rewindTo(2);
    await lostOwner.apply(await newOwner.entriesAfter(2, 9));
    assert.deepEqual(await standingAt(lostOwner, positions), { kind: "lost", wanted: 3 });
  });

  test("each of several must be there", async () => {
    const { newOwner, lost } = await torn();
    await newOwner.append(4, [upsert("c")]);
    const positions = [...wanted("2"), ...wanted(positionWord(lost, 3)), ...wanted("1")];
    assert.deepEqual(await standingAt(newOwner, positions), { kind: "lost", wanted: 3 });
  });
});

describe("waiting for a position", () => {
  const never = new Stop();
  const tools = { clock: realClock, timeouts: { ...DEFAULT_TIMEOUTS, positionMs: 40 } };

  test("ends at once where the change is certainly lost", async () => {
    const { newOwner, lost } = await torn();
    await newOwner.append(4, [upsert("c")]);
    const patient = { ...tools, timeouts: { ...tools.timeouts, positionMs: 60_000 } };
    const standing = await awaited(patient, newOwner, wanted(positionWord(lost, 3)), never);
    assert.equal(standing.kind, "lost");
  });

  test("goes on where this copy may have a tail that it takes back", async () => {
    const { lostOwner, newOwner } = await torn();
    const kept = await newOwner.append(4, [upsert("c")]);
    const waiting = awaited(
      { ...tools, timeouts: { ...tools.timeouts, positionMs: 60_000 } },
      lostOwner,
      wanted(positionWord(kept, null)),
      never,
    );
    await lostOwner.rewindTo(2);
    await lostOwner.apply(await newOwner.entriesAfter(2, 9));
    assert.equal((await waiting).kind, "reached");
    assert.equal((await awaited(tools, lostOwner, wanted("4"), never)).kind, "behind");
  });
});

describe("the header", () => {
  const header = (text: string) => wantedPositions({ [HEADERS.minPosition]: text }, "handbook");
  const mark = "5f0c9a12b3d4";

  test("names positions of this index, and of others", () => {
    assert.deepEqual(header(`handbook=3/1:${mark}, elsewhere=9, 2:${mark},7`), {
      ok: true,
      positions: [
        { seq: 3, epoch: 1, mark },
        { seq: 2, epoch: null, mark },
        { seq: 7, epoch: null, mark: null },
      ],
    });
    assert.deepEqual(wantedPositions({}, "handbook"), { ok: true, positions: [] });
  });

  for (const text of [
    "soon",
    "handbook=",
    "handbook=-1",
    "3/1",
    `3:${mark}0`,
    "elsewhere=x",
    "3,",
  ]) {
    test(`"${text}" is none`, () => assert.deepEqual(header(text), { ok: false, sent: text }));
  }
});
