import { TideoverError } from "../../lib/errors.ts";
import type { LogEntry } from "../../model/change.ts";
import { severalVectors } from "../../model/vectors.ts";

/** What an index can be asked to hold: a log entry without what the index itself gives it. */
export type Change = Omit<LogEntry, "seq" | "epoch" | "digestAfter">;

/**
 * Judges a change before it is written, and gives its vector's bytes (none for a delete).
 *
 * `dimensions`: of the records that the index holds of the same embedding version; null when it
 * holds none. Throws CORPUS_INVALID with the document's id, the offending value and what to do. It
 * must refuse here: what is once in the log is sent to every replica, and stays there.
 */
export function judgeChange(change: Change, dimensions: number | null): Uint8Array {
  judgeTexts(change);
  judgeLabels(change);
  if (change.op === "upsert") return judgeVector(change, dimensions);
  if (change.vector === "") return new Uint8Array(0);
  const next = `Leave \`vector\` empty for a ${change.op}.`;
  throw invalid(change.id, `a ${change.op} carries a vector`, next);
}

const TEXTS = ["id", "audience", "embedding", "title", "text"] as const;

function judgeTexts(change: Change): void {
  if (change.id === "" && change.op !== "watermark") {
    throw invalid("", "its id is empty", "Give every document an id.");
  }
  if (!Number.isFinite(change.sourceTime)) {
    const next = "Give the source's time in ms since 1970.";
    throw invalid(change.id, `its sourceTime is ${change.sourceTime}`, next);
  }
  // A lone surrogate cannot be stored: it comes back as U+FFFD, and the digest would be of a text
  // that no copy of the index holds.
  const broken = TEXTS.find((name) => !change[name].isWellFormed());
  if (broken !== undefined) {
    const next = "Repair the document at its source: half of a character is missing.";
    throw invalid(change.id, `its ${broken} is not valid Unicode (a lone surrogate)`, next);
  }
}

/** Copies compare digests, and filters compare labels one by one: both need one spelling. */
function judgeLabels({ id, labels }: Change): void {
  const broken = labels.find((label) => label === "" || !label.isWellFormed());
  const next = "Give the labels sorted, each once, none empty.";
  if (broken !== undefined) throw invalid(id, "one of its labels is empty or no Unicode", next);
  const odd = labels.findIndex((label, at) => at > 0 && !(label > (labels[at - 1] ?? "")));
  if (odd !== -1) throw invalid(id, `its label "${labels[odd]}" is not in order`, next);
}

function judgeVector(change: Change, dimensions: number | null): Uint8Array {
  const bytes = Uint8Array.from(Buffer.from(change.vector, "base64"));
  const next = "Send the vector as little-endian 32-bit floats in base64.";
  // Buffer skips what is not base64, so that a damaged text would become a shorter vector. Only
  // the canonical text comes back as it was; it also makes equal bytes equal text in every copy.
  if (Buffer.from(bytes).toString("base64") !== change.vector) {
    throw invalid(change.id, `its vector is not base64 (${shown(change.vector)})`, next);
  }
  if (bytes.length === 0) throw invalid(change.id, "it has no vector", next);
  if (bytes.length % 4 !== 0) {
    const fault = `its vector has ${bytes.length} bytes, which is no multiple of 4`;
    throw invalid(change.id, fault, next);
  }
  judgeNumbers(change, floatsOf(bytes), dimensions);
  return bytes;
}

function judgeNumbers(change: Change, floats: Float32Array, dimensions: number | null): void {
  // One NaN makes every distance NaN, and then the order of all results is anybody's guess.
  const bad = floats.findIndex((value) => !Number.isFinite(value));
  if (bad !== -1) {
    const next = "Embed the document again; look at the embedding model when this repeats.";
    throw invalid(change.id, `its vector holds ${floats[bad]} at place ${bad}`, next);
  }
  judgeSeveral(change, floats.length);
  if (dimensions !== null && floats.length !== dimensions) {
    const fault = `its vector has ${floats.length} dimensions, the index's ${change.embedding} records have ${dimensions}`;
    const next = "Give another embedding model another version name, and embed every document.";
    throw invalid(change.id, fault, next);
  }
}

/** What is cut at the wrong places is nobody's vector. */
function judgeSeveral({ id, embedding }: Change, length: number): void {
  const several = severalVectors(embedding);
  const named = several?.reduce((sum, { dimensions }) => sum + dimensions, 0) ?? length;
  if (named === length) return;
  const fault = `its vectors have ${length} dimensions together, and ${named} by their names`;
  throw invalid(id, fault, "Embed the document again.");
}

/** The numbers of a stored vector. Copies, since a view on unaligned bytes would throw. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function shown(text: string): string {
  return text.length > 24 ? `${text.slice(0, 24)}…` : text;
}

function invalid(id: string, fault: string, next: string): TideoverError {
  return new TideoverError(`document "${id}": ${fault}`, { code: "CORPUS_INVALID", next });
}
