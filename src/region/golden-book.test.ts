import assert from "node:assert/strict";
import { test } from "node:test";
import { GoldenBook } from "./golden-book.ts";

const ONE = { workflow: "support", release: "sha256:one" };
const TWO = { workflow: "support", release: "sha256:two" };
const IDS = ["a", "b", "c"];
const due = (book: GoldenBook, about: typeof ONE, now: number): string[] =>
  book.due(about.workflow, about.release, IDS, now);

test("each question is asked once a release, and what was answered rightly never again", () => {
  const book = new GoldenBook();
  assert.deepEqual(due(book, ONE, 0), IDS);
  for (const id of IDS) book.note(ONE, id, "right", 0);
  assert.deepEqual(due(book, ONE, 1e9), []);
  assert.deepEqual(due(book, TWO, 0), IDS);
});

test("a wrong answer is asked again ever more seldom, and six times at most", () => {
  const book = new GoldenBook();
  const askedAt: number[] = [];
  for (let now = 0; now < 600_000; now += 1_000) {
    if (!due(book, ONE, now).includes("a")) continue;
    askedAt.push(now);
    book.note(ONE, "a", "wrong", now);
  }
  assert.deepEqual(askedAt, [0, 2_000, 6_000, 14_000, 30_000, 62_000]);
});

test("questions that were never asked come before those that are asked again", () => {
  const book = new GoldenBook();
  book.note(ONE, "a", "unanswered", 0);
  assert.deepEqual(due(book, ONE, 10_000), ["b", "c", "a"]);
});

test("the newest answer counts, but no answer unsays none", () => {
  const book = new GoldenBook();
  book.note(ONE, "a", "wrong", 0);
  book.note(ONE, "a", "right", 1);
  book.note(ONE, "b", "right", 0);
  book.note(ONE, "b", "unanswered", 1);
  book.note(ONE, "c", "unanswered", 0);
  const [{ scores } = { scores: [] }] = book.scores();
  assert.deepEqual(scores, [
    { release: "sha256:one", right: ["a", "b"], wrong: [], unanswered: ["c"] },
  ]);
});

test("two releases are remembered, the ones met last: after a rollback the old one again", () => {
  const book = new GoldenBook();
  for (const release of ["sha256:zero", "sha256:one", "sha256:two", "sha256:one"]) {
    book.note({ workflow: "support", release }, "a", "right", 0);
  }
  book.note({ workflow: "support", release: "sha256:three" }, "a", "right", 0);
  assert.deepEqual(
    book.scores().flatMap(({ scores }) => scores.map(({ release }) => release)),
    ["sha256:one", "sha256:three"],
  );
});

test("a restarted agent goes on with what its last report says", () => {
  const before = new GoldenBook();
  before.note(ONE, "a", "right", 0);
  before.note(ONE, "b", "wrong", 0);
  const after = new GoldenBook();
  for (const { workflow, scores } of before.scores()) after.restore(workflow, scores, 50);
  assert.deepEqual(after.scores(), before.scores());
  assert.deepEqual(due(after, ONE, 60), ["c"]);
});
