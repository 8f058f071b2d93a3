import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { TideoverError } from "../lib/errors.ts";
import { type Fault, FaultsError } from "./faults.ts";
import { judgeSpecText, loadSpec } from "./load-spec.ts";
import { tempFolder } from "./temp-folder.fixture.ts";

const MODEL = `sha256:${"0".repeat(64)}`;
const SPEC = `tideover: 1
estate: small
release: ./release
regions:
  eu:
    jurisdiction: EU
    gateway: 127.0.0.1:7110
    components:
      runtime:
        targets:
          - name: local
            url: http://127.0.0.1:7112
            model: m
            reference: { modelDigest: "${MODEL}" }
      index: { engine: sqlite }
tenants:
  acme: { keys: ["sha256:${"a".repeat(64)}"] }
indexes:
  handbook: { home: eu, corpus: ./corpus, maxLag: 1s }
workflows:
  rag:
    pattern: active-passive
    primary: eu
    rto: 10s
    rpo: 2s
    prompt: answer
    retrieval: { index: handbook }
    declare: { by: person, who: us, signals: [region-outage] }
    customers: { channel: page, message: moved }
    golden: { questions: ./golden.yaml }
`;
const RELEASE = `name: small
version: "1"
model: { id: m, digest: "${MODEL}", fingerprint: "0123456789abcdef" }
embedding: { id: e, dimensions: 8, fingerprint: "0123456789abcdef" }
policy: { requestsPerMinute: 60, maxOutputTokens: 100 }
`;
const PROMPT = "---\nname: answer\n---\nAnswer from {{documents}}.\n";
const GOLDEN =
  "questions:\n  - { id: q1, tenant: acme, question: Why?, documents: [d1], answer: so }\n";
const FILES = {
  "tideover.yaml": SPEC,
  "release/release.yaml": RELEASE,
  "release/prompts/answer.md": PROMPT,
  "corpus/d1.md": "unread here",
  "golden.yaml": GOLDEN,
};

function faultsOf(action: () => unknown): readonly Fault[] {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof FaultsError, String(error));
    return error.faults;
  }
  assert.fail("nothing was thrown");
}

const brief = (faults: readonly Fault[]) =>
  faults.map(
    ({ line, path, value, message, instead }) => `${line} ${path} ${value} ${message}; ${instead}`,
  );

test("a sound spec is read, with units as numbers, defaults filled in, and frozen", () => {
  using folder = tempFolder(FILES);
  const loaded = loadSpec(folder.at("tideover.yaml"));
  assert.equal(loaded.folder, folder.path);
  assert.equal(loaded.text, SPEC);
  assert.equal(loaded.spec.workflows.rag?.rto, 10_000);
  assert.equal(loaded.spec.maxBody, 10 * 1_048_576);
  assert.throws(
    () => Object.assign(loaded.spec.regions.eu ?? {}, { jurisdiction: "X" }),
    TypeError,
  );
});

test("a missing spec says where it was looked for and how to name one", () => {
  using folder = tempFolder({});
  assert.throws(
    () => loadSpec(folder.at("no.yaml")),
    (error) =>
      error instanceof TideoverError &&
      error.code === "SPEC_MISSING" &&
      error.message.includes(folder.at("no.yaml")) &&
      error.next?.includes("tideover up --spec FILE") === true,
  );
});

test("a folder given as spec is answered with the spec inside it", () => {
  using folder = tempFolder(FILES);
  assert.throws(
    () => loadSpec(folder.path),
    (error) =>
      error instanceof TideoverError &&
      error.code === "SPEC_MISSING" &&
      error.next?.includes(folder.at("tideover.yaml")) === true,
  );
});

test("a file used as a folder is a missing spec, not a crash", () => {
  using folder = tempFolder(FILES);
  assert.throws(() => loadSpec(folder.at("golden.yaml/x.yaml")), { code: "SPEC_MISSING" });
});

test("bytes that are no UTF-8 are named with their line and column", () => {
  const bytes = Buffer.concat([Buffer.from("tideover: 1\nestate: ü"), Buffer.from([0xff, 0x0a])]);
  using folder = tempFolder({ "tideover.yaml": bytes });
  const [fault] = faultsOf(() => loadSpec(folder.at("tideover.yaml")));
  assert.deepEqual([fault?.line, fault?.column, fault?.message], [2, 10, "is not UTF-8 text"]);
});

test("a byte order mark changes nothing", () => {
  using folder = tempFolder({ ...FILES, "tideover.yaml": `\uFEFF${SPEC}` });
  assert.equal(loadSpec(folder.at("tideover.yaml")).spec.estate, "small");
  const judged = judgeSpecText("\uFEFFestate: 1", "x.yaml");
  assert.ok(!judged.ok && judged.faults.some(({ line, column }) => line === 1 && column === 9));
});

test("Windows line ends change nothing, not even the columns", () => {
  const broken = SPEC.replace("rto: 10s", "rto: 10");
  const at = (text: string) => {
    const judged = judgeSpecText(text, "x.yaml", { files: "ignored" });
    return judged.ok ? [] : judged.faults;
  };
  assert.deepEqual(at(broken.replaceAll("\n", "\r\n")), at(broken));
  assert.equal(at(broken).length, 1);
});

test("a file with nothing in it, and one that is no mapping", () => {
  const first = (text: string) => {
    const judged = judgeSpecText(text, "x.yaml");
    return judged.ok ? [] : judged.faults.map(({ message }) => message);
  };
  assert.deepEqual(first(""), ["there is nothing in it"]);
  assert.deepEqual(first("# only a comment\n"), ["there is nothing in it"]);
  assert.deepEqual(first("- a\n- b\n"), ["holds a list, not a mapping"]);
  assert.deepEqual(first("hello"), ["holds a single value, not a mapping"]);
});

test("files that a spec names must be there, and of the right kind", () => {
  using folder = tempFolder({ "tideover.yaml": SPEC, corpus: "a file", "golden.yaml/x": "" });
  const found = brief(faultsOf(() => loadSpec(folder.at("tideover.yaml"))));
  const folderAdvice = "write the path of a folder, relative to this file";
  assert.deepEqual(found, [
    `3 release "./release" does not exist: looked for ${folder.at("release")}; ${folderAdvice}`,
    `19 indexes.handbook.corpus "./corpus" is a file, where a folder is wanted; ${folderAdvice}`,
    `30 workflows.rag.golden.questions "./golden.yaml" is a folder, where a file is wanted; write the path of a file, relative to this file`,
  ]);
});

test("a process that serves from a snapshot may ignore the files", () => {
  using folder = tempFolder({ "tideover.yaml": SPEC });
  assert.equal(loadSpec(folder.at("tideover.yaml"), { files: "ignored" }).spec.estate, "small");
});

test("faults inside the named files come with their own file and line", () => {
  using folder = tempFolder({
    ...FILES,
    "release/prompts/answer.md": "---\nname: answer\n---\nHello {{tennant}}.\n",
    "golden.yaml": GOLDEN.replace("answer: so", "anwser: so"),
  });
  const faults = faultsOf(() => loadSpec(folder.at("tideover.yaml")));
  assert.deepEqual(
    faults.map(({ file, line, column }) => [file, line, column]),
    [
      [folder.at("release/prompts/answer.md"), 4, 7],
      [folder.at("golden.yaml"), 2, 62],
    ],
  );
  assert.deepEqual(
    faults.map(({ instead }) => instead),
    ["write {{tenant}}", "write answer"],
  );
});

test("what a spec says must fit its release and its golden questions", () => {
  using folder = tempFolder({
    ...FILES,
    "release/release.yaml": RELEASE.replace(/^embedding.*\n/m, "").replace(
      MODEL,
      "sha256:11111111",
    ),
    "release/prompts/answer.md": "---\nname: answer\n---\nNo documents here.\n",
    "golden.yaml": GOLDEN.replace("acme", "zed"),
  });
  assert.deepEqual(brief(faultsOf(() => loadSpec(folder.at("tideover.yaml")))), [
    '3 release "./release" names no embedding model, and workflow rag searches an index; add embedding: to release.yaml',
    `14 regions.eu.components.runtime.targets[0].reference.modelDigest "${MODEL.slice(0, 58)}… is not the model of the release, m; write sha256:11111111, or activate a release for this model`,
    '26 workflows.rag.prompt "answer" does not use {{documents}}, so the documents found would reach no model; add {{documents}} to prompts/answer.md',
    '30 workflows.rag.golden.questions "./golden.yaml" asks as tenant zed, who is not a tenant here; add zed under tenants, or correct the file',
  ]);
});

test("a prompt that the release does not have, and one without any release", () => {
  using folder = tempFolder({
    ...FILES,
    "tideover.yaml": SPEC.replace("prompt: answer", "prompt: anwser"),
  });
  assert.deepEqual(brief(faultsOf(() => loadSpec(folder.at("tideover.yaml")))), [
    '26 workflows.rag.prompt "anwser" is not a prompt of the release; write answer',
  ]);
  using bare = tempFolder({ ...FILES, "tideover.yaml": SPEC.replace("release: ./release\n", "") });
  assert.deepEqual(brief(faultsOf(() => loadSpec(bare.at("tideover.yaml")))), [
    '25 workflows.rag.prompt "answer" cannot be found: this file names no release; add release: FOLDER at the top of the file',
  ]);
});

test("a spec that was cut off is refused, wherever it was cut", () => {
  for (let length = 0; length < SPEC.indexOf("customers"); length += 7) {
    assert.equal(judgeSpecText(SPEC.slice(0, length), "x.yaml", { files: "ignored" }).ok, false);
  }
});

test("the spec of the demo is the one that is judged", () => {
  const demo = new URL("../../examples/estate/tideover.yaml", import.meta.url);
  const broken = readFileSync(demo, "utf8").replace("rto: 10s", "rto: 10");
  const judged = judgeSpecText(broken, "tideover.yaml", { files: "ignored" });
  assert.ok(!judged.ok);
  assert.deepEqual(
    judged.faults.map(({ path, value }) => [path, value]),
    [["workflows.support-search.rto", "10"]],
  );
});
