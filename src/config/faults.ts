import { TideoverError } from "../lib/errors.ts";

/** Where a value stands in a document: keys of mappings and positions in lists, from the root. */
export type Path = readonly (string | number)[];

/** One thing that is wrong in a file that a person wrote. */
export interface Fault {
  /** As the person named it, or relative to where they stand. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number;
  /** `workflows.rag.rto`, `regions.eu.components.runtime.targets[0].url`; empty for the whole file. */
  readonly path: string;
  /** The offending value as JSON, cut at 60 characters; empty when it is missing. */
  readonly value: string;
  /** What is wrong, to be read after the value: `has no unit`. */
  readonly message: string;
  /** What to do, in the imperative: `write 10s`. */
  readonly instead: string;
  /** The line of the file, so that a fault can be shown without reading the file again. */
  readonly excerpt: string;
}

/** All faults of one reading. The message is the terminal's text without colours. */
export class FaultsError extends TideoverError {
  readonly faults: readonly Fault[];

  constructor(
    message: string,
    code: "SPEC_INVALID" | "RELEASE_INVALID" | "CORPUS_INVALID",
    faults: readonly Fault[],
  ) {
    super(message, { code, next: "Correct the places named above, then run the command again." });
    this.name = "FaultsError";
    this.faults = faults;
  }
}

/** In the order of reading: the first file first, then by line and column. */
export function sortFaults(faults: readonly Fault[]): Fault[] {
  const files = [...new Set(faults.map((fault) => fault.file))];
  return faults.toSorted(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      (a.path < b.path ? -1 : a.path > b.path ? 1 : 0),
  );
}

export function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? part : `${text}.${part}`;
  }, "");
}

/** A fault at an offset of a plain text, such as a prompt's body. */
export function faultInText(
  file: string,
  text: string,
  offset: number,
  what: Pick<Fault, "path" | "value" | "message" | "instead">,
): Fault {
  const before = text.slice(0, offset).split("\n");
  const excerpt = text.split("\n")[before.length - 1] ?? "";
  return { file, line: before.length, column: (before.at(-1) ?? "").length + 1, ...what, excerpt };
}

/** A fault of a whole file or folder, such as that it is not there. */
export function fileFault(file: string, message: string, instead: string): Fault {
  return { file, line: 1, column: 1, path: "", value: "", message, instead, excerpt: "" };
}

const LONGEST_VALUE = 60;

export function valueText(value: unknown): string {
  if (value === undefined) return "";
  // JSON has no word for .inf and .nan, which YAML can say.
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "");
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE - 1)}…`;
}
