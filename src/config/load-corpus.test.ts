import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultsError } from "./faults.ts";
import { loadCorpus, loadGolden } from "./load-corpus.ts";
import { tempFolder } from "./temp-folder.fixture.ts";

const page = (id: string, audience: string, updated = "2026-05-19", text = "Text.") =>
  `---\nid: ${id}\ntitle: About ${id}\naudience: ${audience}\nupdated: ${updated}\n---\n\n${text}\n`;

function faultsOf(
  files: Record<string, string>,
  load = (path: string): unknown => loadCorpus(path),
) {
  using folder = tempFolder(files);
  try {
    load(folder.path);
  } catch (error) {
    assert.ok(error instanceof FaultsError && error.code === "CORPUS_INVALID", String(error));
    return error.faults.map(({ file, line, column, value, message, instead }) =>
      `${file.slice(folder.path.length + 1)}:${line}:${column} ${value} ${message}; ${instead}`.replaceAll(
        `${folder.path}/`,
        "",
      ),
    );
  }
  return [];
}

test("documents come in source order, whatever their files are called", () => {
  using folder = tempFolder({
    "public/a.md": page("late", "public", "2026-05-20T08:30:00Z"),
    "public/deep/b.md": page("early", "public", "2026-01-01"),
    "acme/c.md": page("mine", "acme", "2026-05-20"),
    "d.md": page("root", "bolt", "2026-05-20"),
    "public/notes.txt": "not a document",
  });
  const documents = loadCorpus(folder.path);
  assert.deepEqual(
    documents.map(({ id }) => id),
    ["early", "mine", "root", "late"],
  );
  assert.deepEqual(documents[0], {
    id: "early",
    title: "About early",
    audience: "public",
    labels: [],
    text: "Text.",
    payload: {},
    sourceTime: Date.UTC(2026, 0, 1),
  });
  assert.equal(documents[3]?.sourceTime, Date.UTC(2026, 4, 20, 8, 30));
});

test("a private page made public by a slip of its head is refused", () => {
  assert.deepEqual(faultsOf({ "acme/rates.md": page("rates", "public") }), [
    'acme/rates.md:4:11 "public" differs from the folder it stands in, acme/; write acme, or move the file to public/',
  ]);
});

test("dates that no calendar has are refused", () => {
  const message = "is no date; write it as 2026-05-19";
  for (const date of ["2026-02-31", "yesterday", "2026-13-01", "2026-05-19T25:00Z", "20260519"])
    assert.match(faultsOf({ "a.md": page("a", "public", date) })[0] ?? "", new RegExp(message));
});

test("every fault of every document comes at once", () => {
  const faults = faultsOf({
    "a.md": page("same", "public"),
    "b.md": page("same", "public"),
    "c.md": page("Not An Id", "public", "2026-05-19", ""),
    "d.md": "# no head\n",
    "e.md": page("e", "public").replace("title: About e\n", ""),
  });
  assert.deepEqual(faults, [
    'b.md:2:5 "same" is the id of a.md too; write an id of its own',
    'c.md:2:5 "Not An Id" is no id; write lower-case letters, digits and dashes',
    "c.md:8:1  this document has no text; write it below the head",
    "d.md:1:1  does not start with a head between two lines of ---; write ---, then keys such as `name: …`, then ---, then the text",
    "e.md:2:1  is missing; add title: How to return a parcel",
  ]);
});

test("a folder without documents says so", () => {
  assert.match(faultsOf({ "x.txt": "" })[0] ?? "", /holds no documents/);
  assert.throws(() => loadCorpus("/nonexistent/corpus"), { code: "CORPUS_INVALID" });
});

const GOLDEN = `questions:
  - { id: q1, tenant: acme, question: Why?, documents: [d1], answer: "42" }
  - { id: q2, tenant: acme, question: How?, documents: [d2], answer: so }
canaries:
  - { tenant: acme, document: d1, phrase: quill-7731 }
`;

test("golden questions and canaries are read", () => {
  using folder = tempFolder({ "golden.yaml": GOLDEN });
  const golden = loadGolden(folder.at("golden.yaml"));
  assert.deepEqual(
    golden.questions.map(({ id, answer }) => [id, answer]),
    [
      ["q1", "42"],
      ["q2", "so"],
    ],
  );
  assert.deepEqual(golden.canaries, [{ tenant: "acme", document: "d1", phrase: "quill-7731" }]);
});

test("faults of golden questions come with their lines", () => {
  const broken = GOLDEN.replace('"42"', "42")
    .replace("documents: [d2]", "documents: []")
    .replace("quill-7731", "q");
  const load = (path: string) => loadGolden(`${path}/golden.yaml`);
  assert.deepEqual(faultsOf({ "golden.yaml": broken }, load), [
    'golden.yaml:2:70 42 is no text; write it in quotes, such as "42 days"',
    "golden.yaml:3:56 [] is an empty list; write at least one",
    'golden.yaml:5:43 "q" is too short to be told from chance; write a made-up word of 8 letters',
  ]);
  assert.deepEqual(faultsOf({ "golden.yaml": GOLDEN.replace("q2", "q1") }, load), [
    'golden.yaml:3:11 "q1" is the id of an earlier question; write another one',
  ]);
});
