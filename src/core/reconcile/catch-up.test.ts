import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { EMPTY_DIGEST, EMPTY_POSITION, type Position } from "../../model/position.ts";
import {
  at,
  baseDigest,
  contents,
  type Entry,
  event,
  follow,
  history,
  type Node,
  newNode,
  search,
  standings,
  who,
} from "./catch-up.fixture.ts";
import { type MoveInput, nextMove } from "./catch-up.ts";

describe("following the moves, over random histories", () => {
  const histories = fc.array(event, { maxLength: 40 }).map(history);

  it("makes every replica equal to the owner, in a bounded number of moves", () => {
    fc.assert(
      fc.property(histories, fc.integer({ min: 1, max: 5 }), (world, limit) => {
        for (const node of world.nodes.filter((one) => one !== world.owner)) {
          let moves = 0;
          while (follow(nextMove(standings(node, world.owner)), node, world.owner, limit)) moves++;
          // Rewound to the owner's base, found to differ there, restored, and then up to its end.
          assert.ok(moves <= 3 + Math.ceil(world.owner.log.length / limit));
          assert.deepEqual(nextMove(standings(node, world.owner)), { move: "level" });
          assert.deepEqual(contents(node), contents(world.owner));
          const common = node.log.filter(({ seq }) => seq > world.owner.base);
          assert.deepEqual(
            common,
            world.owner.log.filter(({ seq }) => seq > node.base),
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  it("keeps each entry that the owner does not have as an orphan, and no other of a whole log", () => {
    fc.assert(
      fc.property(histories, (world) => {
        for (const node of world.nodes.filter((one) => one !== world.owner)) {
          const before = [...node.log];
          const already = node.orphans.length;
          const trimmed = Math.max(node.base, world.owner.base) > 0;
          // Below the owner's base nobody knows single entries: where the records are equal there,
          // what led to them is not lost, whoever wrote it.
          const isMet = at(node, world.owner.base)?.digestAfter === baseDigest(world.owner);
          while (follow(nextMove(standings(node, world.owner)), node, world.owner, 3));
          const lost = before.filter((entry) => !world.owner.history.includes(entry));
          const kept = node.orphans.slice(already);
          const isHeld = ({ seq, id, value }: Entry): boolean =>
            (isMet && seq <= world.owner.base) ||
            // The owner wrote the same, or the same document later, and all else was equal.
            contents(node).get(id) === value ||
            node.log.some((later) => later.id === id && later.seq > seq);
          const gone = lost.filter((entry) => !kept.includes(entry) && !isHeld(entry));
          if (trimmed) assert.deepEqual(gone, []);
          else assert.deepEqual(kept, lost);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("never refuses the owner of the newest epoch", () => {
    fc.assert(
      fc.property(histories, who, (world, at) => {
        const node = world.nodes[at];
        if (node === undefined || node === world.owner) return;
        assert.notEqual(nextMove(standings(node, world.owner)).move, "refuse");
      }),
      { numRuns: 300 },
    );
  });
});

/** Each entry has a digest of its own, which `says` of the last one, as a node's position would. */
const logOf = (epochs: readonly number[], tag = ""): Node => ({
  ...newNode(),
  log: epochs.map((epoch, at) => ({
    seq: at + 1,
    epoch,
    id: "a",
    value: "a",
    digestAfter: `${tag}${at}`.padStart(32, "0"),
  })),
});

/** Of logs whose digests are made up: a node's position is what its last entry says. */
function told(own: Node, owner: Node): MoveInput {
  const input = standings(own, owner);
  const says = (node: Node, held: Position): Position => {
    return { ...held, digest: node.log.at(-1)?.digestAfter ?? EMPTY_DIGEST };
  };
  return {
    own: { ...input.own, position: says(own, input.own.position) },
    owner: { ...input.owner, position: says(owner, input.owner.position) },
  };
}

describe("the search for the last common entry", () => {
  it("finds it for every length of the common part and of both tails", () => {
    const length = fc.nat({ max: 70 });
    fc.assert(
      fc.property(length, length, length, (common, ownTail, ownerTail) => {
        const start = Array<number>(common).fill(1);
        const own = logOf([...start, ...Array<number>(ownTail).fill(2)]);
        const owner = logOf([...start, ...Array<number>(ownerTail).fill(3)]);
        assert.equal(search(own, owner).common, common);
      }),
    );
  });

  it("asks few questions when the tail is short, however long the log", () => {
    const start = Array<number>(100_000).fill(1);
    const own = logOf([...start, 1, 1, 1, 1, 1]);
    const owner = logOf([...start, 2, 2, 2, 2, 2]);
    const { common, questions } = search(own, owner);
    assert.equal(common, 100_000);
    assert.ok(questions <= 6, `${questions} questions`);
  });
});

describe("the next move", () => {
  const level = (): MoveInput => {
    const owner = { ...logOf([1, 1]), owns: 1 };
    return told({ ...logOf([1, 1]), seen: 1 }, owner);
  };

  it("is nothing for two empty copies, and a pull from the start for one", () => {
    const empty = told(newNode(), { ...newNode(), owns: 1 });
    assert.deepEqual(empty.own.position, EMPTY_POSITION);
    assert.deepEqual(nextMove(empty), { move: "level" });
    const full = told(newNode(), { ...logOf([1, 1]), owns: 1 });
    assert.deepEqual(nextMove(full), { move: "pull", after: 0 });
  });

  it("sees a rewritten tail by its epoch alone, though the contents are equal", () => {
    const owner = { ...logOf([1, 2]), owns: 2 };
    const move = nextMove(told({ ...logOf([1, 1]), seen: 1 }, owner));
    assert.deepEqual(move, { move: "rewind", to: "search" });
  });

  it("sees a rewritten tail by its digest alone", () => {
    const owner = { ...logOf([1, 1], "9"), owns: 1 };
    const move = nextMove(told({ ...logOf([1, 1]), seen: 1 }, owner));
    assert.deepEqual(move, { move: "rewind", to: "search" });
  });

  it("rewinds to the start without asking when nothing else can be common", () => {
    const own = { ...logOf([1]), seen: 1 };
    const rewritten = told(own, { ...logOf([2]), owns: 2 });
    assert.deepEqual(nextMove(rewritten), { move: "rewind", to: 0 });
    const empty = told(own, { ...newNode(), owns: 2 });
    assert.deepEqual(nextMove(empty), { move: "rewind", to: 0 });
  });

  /** A copy that was restored from a snapshot at the end of this log, and has no entry since. */
  const restored = (owner: Node, log = logOf([1, 1])): MoveInput => {
    const given = told({ ...log, seen: 1 }, owner);
    return { ...given, own: { ...given.own, last: null, base: log.log.length } };
  };

  it("goes on from where a restored copy's log begins", () => {
    assert.deepEqual(nextMove(restored({ ...logOf([1, 1]), owns: 1 })), { move: "level" });
    const ahead = nextMove(restored({ ...logOf([1, 1, 1]), owns: 1 }));
    assert.deepEqual(ahead, { move: "pull", after: 2 });
  });

  it("restores a copy whose log begins where the owner's records are others, or end before", () => {
    const other = nextMove(restored({ ...logOf([1, 2, 2], "9"), owns: 2 }));
    assert.equal(other.move, "restore");
    const behind = nextMove(restored({ ...logOf([1]), owns: 2 }));
    assert.equal(behind.move, "restore");
  });

  const refusals: readonly [name: string, input: () => MoveInput, because: RegExp][] = [
    [
      "an owner whose epoch is older than what the index has seen",
      () => ({ ...level(), own: { ...level().own, epoch: 4 } }),
      /epoch 1 is below 4/,
    ],
    [
      "an owner that lost entries it wrote itself",
      () => told({ ...logOf([1, 1]), seen: 1 }, { ...logOf([1]), owns: 1 }),
      /ends at seq 1 but wrote our entry 2 itself/,
    ],
    [
      "an owner whose log has a hole",
      () => ({ ...level(), owner: { ...level().owner, atOurSeq: null } }),
      /says seq 2 but has no entry at 2/,
    ],
    [
      "an owner whose records left its log",
      () => {
        const { own, owner } = level();
        const digest = "f".repeat(32);
        return { own, owner: { ...owner, position: { ...owner.position, digest } } };
      },
      /records disagree with its own log at seq 2/,
    ],
    [
      "anything while our own log and records disagree",
      () => ({ ...level(), own: { ...level().own, last: null } }),
      /our own log and records disagree at seq 2/,
    ],
  ];
  for (const [name, input, because] of refusals) {
    it(`refuses ${name}`, () => {
      const move = nextMove(input());
      assert.equal(move.move, "refuse");
      assert.match(move.move === "refuse" ? move.because : "", because);
    });
  }
});
