import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from "yaml";
import { type Fault, type Path, pathText, valueText } from "./faults.ts";

/** What a fault says; the place is found from the path. */
export interface Remark {
  readonly path: Path;
  readonly message: string;
  readonly instead: string;
  /** Point at the key instead of at its value. */
  readonly on?: "key" | "value";
  /** Shown instead of the value that stands at the path. */
  readonly value?: string;
  /** Show neither the value nor its line. */
  readonly secret?: boolean;
}

/** A YAML text turned into plain data that still knows where each value was written. */
export interface YamlSource {
  /** Plain data. undefined when the text could not be read at all. */
  readonly value: unknown;
  /** Faults of the YAML itself; shape and meaning are for others to judge. */
  readonly faults: readonly Fault[];
  readonly faultAt: (remark: Remark) => Fault;
}

export interface YamlOptions {
  /** Shown in faults. */
  readonly file: string;
  /** The whole file, when `text` is only a part of it (front matter); its lines are the excerpts. */
  readonly whole?: string;
  /** Lines of the file before `text`. */
  readonly linesBefore?: number;
}

/**
 * Aliases may repeat at most this many values. Nine lines of YAML can otherwise ask for a billion
 * (`b: [*a, *a, …]`, nine levels), which would fill the memory before any rule could refuse it.
 */
const MOST_ALIASED_VALUES = 10_000;

export function readYaml(text: string, options: YamlOptions): YamlSource {
  const places = new PlaceBook(text, options);
  const parsed = parseBounded(text, places.lines);
  if (parsed === undefined) {
    return { value: undefined, faults: [places.at(0, TOO_DEEP)], faultAt: places.faultAt };
  }
  const syntax = syntaxFaults(parsed, places);
  // After a syntax error the rest of the tree is a guess, and faults in a guess mislead.
  if (syntax.length > 0) return { value: undefined, faults: syntax, faultAt: places.faultAt };
  const reader = new PlainReader(places);
  const value = reader.read(parsed.contents, []);
  return { value, faults: reader.faults, faultAt: places.faultAt };
}

const TOO_DEEP: Remark = {
  path: [],
  message: "this file is nested too deeply to be read",
  instead: "write fewer levels of brackets or of indentation",
};

function parseBounded(text: string, lineCounter: LineCounter): Document.Parsed | undefined {
  try {
    // Doubled keys are found by PlainReader, which also knows where the first one stands.
    return parseDocument(text, { lineCounter, uniqueKeys: false, prettyErrors: false });
  } catch (error) {
    // The parser recurses: a hundred thousand brackets exhaust the stack.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const SYNTAX_ADVICE: Readonly<Record<string, string>> = {
  BAD_INDENT: "indent with spaces, two a level, and close every bracket",
  BLOCK_AS_IMPLICIT_KEY: "put the nested key on a line of its own, two spaces deeper",
  MULTILINE_IMPLICIT_KEY: "write the key on one line, and check the indentation of the next line",
  MISSING_CHAR: "add the missing character; the line named is where its absence was noticed",
  MULTIPLE_DOCS: "keep one document in the file: remove the line ---",
  TAB_AS_INDENT: "indent with spaces",
  TAG_RESOLVE_FAILED: "remove the tag: the word that starts with !",
  UNEXPECTED_TOKEN: "put the whole value in quotes, or remove what follows it",
};

/** The library's own words, where they speak to programmers. */
const SYNTAX_MESSAGE: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: "a second document starts here",
};

function syntaxFaults(parsed: Document.Parsed, places: PlaceBook): Fault[] {
  const seen = new Set<number>();
  return [...parsed.errors, ...parsed.warnings].flatMap((error) => {
    const [offset] = error.pos;
    // One slip often makes several errors at one place; the first says it best.
    if (seen.has(offset)) return [];
    seen.add(offset);
    // The parser reports some exhausted stacks as a syntax error instead of throwing.
    if (error.message.includes("call stack")) return [places.at(offset, TOO_DEEP)];
    const instead = SYNTAX_ADVICE[error.code] ?? "check quotes, brackets and indentation here";
    const message = SYNTAX_MESSAGE[error.code] ?? `not YAML: ${error.message}`;
    return [places.at(offset, { path: [], value: "", message, instead })];
  });
}

interface Place {
  readonly key?: number;
  readonly value: number;
  readonly data: unknown;
}

/** A file of one endless line must not fill a terminal. */
const LONGEST_EXCERPT = 400;

/** Which value stands where, and how a fault about it is worded. */
class PlaceBook {
  readonly lines = new LineCounter();
  readonly #places = new Map<string, Place>();
  readonly #options: YamlOptions;
  readonly #excerpts: readonly string[];

  constructor(text: string, options: YamlOptions) {
    this.#options = options;
    this.#excerpts = (options.whole ?? text).split(/\r\n|\n|\r/);
  }

  note(path: Path, place: Place): void {
    this.#places.set(JSON.stringify(path), place);
  }

  find(path: Path): Place | undefined {
    return this.#places.get(JSON.stringify(path));
  }

  lineOf(offset: number): number {
    return this.lines.linePos(offset).line + (this.#options.linesBefore ?? 0);
  }

  at(offset: number, remark: Remark): Fault {
    const line = this.lineOf(offset);
    const value = remark.value ?? valueText(this.find(remark.path)?.data);
    const excerpt = (this.#excerpts[line - 1] ?? "").slice(0, LONGEST_EXCERPT);
    return {
      file: this.#options.file,
      line,
      column: this.lines.linePos(offset).col,
      path: pathText(remark.path),
      value: remark.secret === true ? "(hidden)" : value,
      message: remark.message,
      instead: remark.instead,
      excerpt: remark.secret === true ? "" : excerpt,
    };
  }

  /** Something missing has no place of its own: its nearest parent that was written is named. */
  faultAt = (remark: Remark): Fault => {
    const own = this.find(remark.path);
    if (own !== undefined) {
      const offset = remark.on === "key" ? (own.key ?? own.value) : own.value;
      return this.at(offset, remark);
    }
    for (let length = remark.path.length - 1; length >= 0; length--) {
      const parent = this.find(remark.path.slice(0, length));
      if (parent !== undefined) return this.at(parent.key ?? parent.value, remark);
    }
    return this.at(0, remark);
  };
}

/** Walks the syntax tree once, making plain data and noting where each value was written. */
class PlainReader {
  readonly faults: Fault[] = [];
  readonly #places: PlaceBook;
  readonly #anchors = new Map<string, Node>();
  /** Anchored nodes that are being read now: meeting one again is a cycle. */
  readonly #open = new Set<Node>();
  #aliasDepth = 0;
  #aliased = 0;

  constructor(places: PlaceBook) {
    this.#places = places;
  }

  read(node: Node | null, path: Path, keyOffset?: number): unknown {
    if (isAlias(node)) return this.#readAlias(node.source, offsetOf(node), path, keyOffset);
    if (this.#aliasDepth > 0) this.#aliased += 1;
    if (node !== null) this.#openAnchor(node);
    const offset = node === null ? (keyOffset ?? 0) : offsetOf(node);
    const data = this.#dataOf(node, path);
    if (node !== null) this.#open.delete(node);
    this.#places.note(path, {
      value: offset,
      data,
      ...(keyOffset === undefined ? {} : { key: keyOffset }),
    });
    return data;
  }

  #openAnchor(node: Node): void {
    if (!("anchor" in node) || node.anchor === undefined) return;
    this.#open.add(node);
    if (this.#aliasDepth === 0) this.#anchors.set(node.anchor, node);
  }

  #dataOf(node: Node | null, path: Path): unknown {
    if (isMap(node)) return this.#readMap(node.items as Pair<Node, Node | null>[], path);
    if (isSeq(node)) return node.items.map((item, at) => this.read(item as Node, [...path, at]));
    return isScalar(node) ? node.value : null;
  }

  #readMap(pairs: readonly Pair<Node, Node | null>[], path: Path): Record<string, unknown> {
    const data: Record<string, unknown> = {};
    const firsts = new Map<string, number>();
    for (const { key, value } of pairs) {
      const name = isScalar(key) ? String(key.value) : undefined;
      if (name === undefined || name === "__proto__") {
        this.#refuse(offsetOf(key), path, "this key cannot be used", "write a plain word as key");
        continue;
      }
      const offset = offsetOf(key);
      const first = firsts.get(name);
      if (first !== undefined) {
        this.#refuseDouble(offset, [...path, name], this.#places.lineOf(first));
        continue;
      }
      firsts.set(name, offset);
      data[name] = this.read(value, [...path, name], offset);
    }
    return data;
  }

  #refuseDouble(offset: number, path: Path, firstLine: number): void {
    const last = path.at(-1);
    const message = `"${last}" stands here a second time; the first is in line ${firstLine}`;
    this.faults.push(
      this.#places.at(offset, {
        path,
        value: "",
        message,
        instead: "rename one of the two, or remove one",
      }),
    );
  }

  #readAlias(source: string, offset: number, path: Path, keyOffset?: number): unknown {
    const target = this.#anchors.get(source);
    if (target === undefined)
      return this.#refuse(
        offset,
        path,
        `*${source} names an anchor that does not stand before it`,
        `write &${source} before the value that it repeats`,
      );
    if (this.#open.has(target))
      return this.#refuse(
        offset,
        path,
        `*${source} contains itself`,
        "write the value out, or repeat a value that is complete",
      );
    if (this.#aliased > MOST_ALIASED_VALUES) return null;
    this.#aliasDepth += 1;
    const data = this.read(target, path, keyOffset);
    this.#aliasDepth -= 1;
    if (this.#aliased > MOST_ALIASED_VALUES && this.#aliasDepth === 0)
      return this.#refuse(
        offset,
        path,
        `the aliases repeat more than ${MOST_ALIASED_VALUES} values`,
        "write fewer aliases of aliases",
      );
    return data;
  }

  #refuse(offset: number, path: Path, message: string, instead: string): null {
    this.faults.push(this.#places.at(offset, { path, value: "", message, instead }));
    return null;
  }
}

function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}
