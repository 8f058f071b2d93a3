import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsAsJson, formatFaults } from "./format-faults.ts";

const FAULT = {
  file: "tideover.yaml",
  line: 12,
  column: 9,
  path: "workflows.rag.rto",
  value: "10",
  message: "has no unit",
  instead: "write 10s",
  excerpt: "\t  rto:  10",
};

test("the caret stands under the value, whatever the width of a tab", () => {
  assert.equal(
    formatFaults([FAULT]),
    [
      "tideover.yaml:12:9  workflows.rag.rto: 10 has no unit",
      "  12 | \t  rto:  10",
      "     | \t       ^ write 10s",
      "",
      "1 fault found.",
    ].join("\n"),
  );
});

test("a fault of a whole file has no line to show", () => {
  const whole = { ...FAULT, path: "", value: "", excerpt: "", message: "is gone" };
  assert.match(formatFaults([whole]), /^tideover\.yaml:12:9 {2}is gone\n {2}write 10s\n/);
});

test("colours only when asked for, and the text is the same", () => {
  const coloured = formatFaults([FAULT, FAULT], { colours: true });
  assert.ok(coloured.includes("\u001b["));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this is the escape that is looked for
  assert.equal(coloured.replace(/\u001b\[\d+m/g, ""), formatFaults([FAULT, FAULT]));
});

test("a spec cannot steer the terminal that shows its faults", () => {
  const evil = { ...FAULT, excerpt: "\u001b[2J", instead: "\u009b2J", value: '"\u0007"' };
  const shown = formatFaults([evil]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be left
  assert.doesNotMatch(shown, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
});

test("machines get the same facts", () => {
  assert.deepEqual(faultsAsJson([FAULT]), { ok: false, faults: [FAULT] });
});
