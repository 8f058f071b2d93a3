import { promptHeadSchema, VARIABLE_TYPES } from "../../../model/release.ts";
import { kindOf, type ReleaseFile } from "../files.ts";
import type { ReleaseFinding, ReleaseRule } from "./rule.ts";

/**
 * A prompt that declares its variables uses exactly those, each as what it is. A declared variable
 * that the text has lost is how a prompt stops showing documents without anybody noticing.
 */
export const declaredVariables: ReleaseRule = ({ release }) =>
  release.files.filter(({ path }) => kindOf(path)?.kind === "prompt").flatMap(judgePrompt);

function judgePrompt(file: ReleaseFile): ReleaseFinding[] {
  const { data: head } = promptHeadSchema.safeParse(file.data);
  const declared = head?.variables;
  if (declared === undefined) return [];
  const uses = usesOf(file.text ?? "");
  return [
    ...Object.entries(declared).flatMap(([name, type]) => judgeDeclared(file, name, type, uses)),
    ...uses.flatMap((use) => judgeUse(file, use, Object.hasOwn(declared, use.name))),
  ];
}

function judgeDeclared(
  { path }: ReleaseFile,
  name: string,
  type: string,
  uses: readonly Use[],
): ReleaseFinding[] {
  const known: Readonly<Record<string, string>> = VARIABLE_TYPES;
  const real = Object.hasOwn(known, name) ? known[name] : undefined;
  const finding = (message: string, instead: string): ReleaseFinding[] => [
    { rule: "variables", file: path, at: ["variables", name], message, instead, unlikely: false },
  ];
  if (real === undefined)
    return finding(
      "is not a variable that the gateway fills in",
      `use one of ${Object.keys(known).join(", ")}`,
    );
  if (real !== type) return finding(`is not what ${name} is`, `write ${real}`);
  if (uses.some((use) => use.name === name)) return [];
  return finding("is declared, but the text does not use it", `write {{${name}}}, or remove it`);
}

function judgeUse({ path }: ReleaseFile, use: Use, declared: boolean): ReleaseFinding[] {
  const known: Readonly<Record<string, string>> = VARIABLE_TYPES;
  if (!Object.hasOwn(known, use.name)) return [];
  const at = { offset: use.offset };
  const finding = (message: string, instead: string): ReleaseFinding[] => [
    { rule: "variables", file: path, at, message, instead, unlikely: false },
  ];
  if (!declared)
    return finding(
      `{{${use.name}}} is not among the declared variables`,
      `add ${use.name}: ${known[use.name]} to variables: in the head`,
    );
  if (known[use.name] !== "documents" || use.alone) return [];
  return finding(
    `{{${use.name}}} stands for whole blocks, but stands within a line`,
    "give it a line of its own",
  );
}

interface Use {
  readonly name: string;
  readonly offset: number;
  /** Nothing else stands on its line. */
  readonly alone: boolean;
}

function usesOf(text: string): Use[] {
  return [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => {
    const [whole, name = ""] = match;
    const before = text.slice(text.lastIndexOf("\n", match.index) + 1, match.index);
    const [after = ""] = text.slice(match.index + whole.length).split("\n", 1);
    return { name, offset: match.index, alone: `${before}${after}`.trim() === "" };
  });
}
