import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { formatFaults } from "./format-faults.ts";
import { judgeSpecText } from "./load-spec.ts";

const TRANSCRIPT = new URL("../../test/scenarios/spec-faults.txt", import.meta.url);

interface Scenario {
  readonly title: string;
  readonly edits: readonly string[];
  readonly answer: string;
}

const [preface = "", baseText = "", ...rest] = readFileSync(TRANSCRIPT, "utf8").split("\n=== ");
const base = baseText.slice(baseText.indexOf("\n") + 1);
const scenarios = rest.map(parseScenario);

function parseScenario(block: string): Scenario {
  const [title = "", ...lines] = block.trimEnd().split("\n");
  const end = lines.indexOf("---");
  const edits = end < 0 ? lines : lines.slice(0, end);
  return { title, edits, answer: end < 0 ? "" : lines.slice(end + 1).join("\n") };
}

function applyEdits({ title, edits }: Scenario): string {
  let text = base;
  let found = "";
  let written: string[] = [];
  const apply = (): void => {
    if (found === "") return;
    assert.ok(text.includes(found), `"${title}" edits text that is not in the base: ${found}`);
    text = text.replace(found, () => written.join("\n"));
  };
  for (const edit of edits) {
    // `\n` in an edit is a line end, so that one edit can span lines.
    const content = edit.slice(2).replaceAll("\\n", "\n");
    if (edit.startsWith("-")) {
      apply();
      found = content;
      written = [];
    } else written.push(content);
  }
  apply();
  return text;
}

function answerTo(scenario: Scenario): string {
  const judged = judgeSpecText(applyEdits(scenario), "tideover.yaml", { files: "ignored" });
  return judged.ok ? "No fault." : formatFaults(judged.faults);
}

if (process.env.UPDATE_TRANSCRIPTS === "1") {
  const blocks = scenarios.map((scenario) =>
    [scenario.title, ...scenario.edits, "---", answerTo(scenario), ""].join("\n"),
  );
  writeFileSync(TRANSCRIPT, [preface, baseText, ...blocks].join("\n=== "));
}

for (const scenario of scenarios) {
  test(`spec: ${scenario.title}`, () => {
    assert.equal(answerTo(scenario), scenario.answer);
  });
}

test("the transcript was read", () => {
  assert.ok(scenarios.length > 40);
});
