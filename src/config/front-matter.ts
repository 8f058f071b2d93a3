import { type Fault, fileFault } from "./faults.ts";
import { readYaml, type YamlSource } from "./yaml-source.ts";

/** A Markdown file with a YAML head between two `---` lines. */
export interface FrontMatter {
  readonly head: YamlSource;
  /** What follows, without white space at its ends. */
  readonly body: string;
  /** The whole text with line ends as `\n`, and where in it the body starts: for faults. */
  readonly text: string;
  readonly bodyOffset: number;
}

const HEAD = /^---[ \t]*\n([\s\S]*?)^---[ \t]*(?:\n|$)/m;

/**
 * Line ends become `\n` first: a checkout on another system must give the same digests, or a
 * release would differ from itself.
 */
export function readFrontMatter(raw: string, file: string): FrontMatter | Fault {
  const text = raw.replace(/\r\n?/g, "\n");
  const match = text.startsWith("---") ? HEAD.exec(text) : null;
  if (match === null)
    return fileFault(
      file,
      "does not start with a head between two lines of ---",
      "write ---, then keys such as `name: …`, then ---, then the text",
    );
  const head = readYaml(match[1] ?? "", { file, whole: text, linesBefore: 1 });
  const rest = text.slice(match[0].length);
  const bodyOffset = match[0].length + (rest.length - rest.trimStart().length);
  return { head, body: rest.trim(), text, bodyOffset };
}

export function isFault(value: FrontMatter | Fault): value is Fault {
  return "instead" in value;
}
