import type { Fault } from "./faults.ts";

export interface FormatOptions {
  /** ANSI colours; only for a terminal. */
  readonly colours?: boolean;
}

/**
 * Faults as a person reads them, in the form that editors and terminals make clickable:
 *
 *     tideover.yaml:12:10  workflows.rag.rto: 10 has no unit
 *       12 |     rto: 10
 *          |          ^ write 10s
 *
 * The last line counts them.
 */
export function formatFaults(faults: readonly Fault[], options: FormatOptions = {}): string {
  const paint = painter(options.colours === true);
  const count = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
  return [...faults.map((fault) => formatFault(fault, paint)), `${count} found.`].join("\n\n");
}

/** One JSON value for `--json`. */
export function faultsAsJson(faults: readonly Fault[]): {
  ok: false;
  faults: readonly Fault[];
} {
  return { ok: false, faults };
}

interface Paint {
  readonly place: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly good: (text: string) => string;
  readonly faint: (text: string) => string;
}

function painter(colours: boolean): Paint {
  const in_ = (code: number) => (text: string) =>
    colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { place: in_(1), bad: in_(31), good: in_(32), faint: in_(2) };
}

function formatFault(fault: Fault, paint: Paint): string {
  const place = paint.place(`${fault.file}:${fault.line}:${fault.column}`);
  const heading = `${place}  ${subjectOf(fault)}${paint.bad(printable(fault.message))}`;
  const advice = paint.good(printable(fault.instead));
  if (fault.excerpt.trim() === "") return `${heading}\n  ${advice}`;
  const gutter = " ".repeat(String(fault.line).length);
  const line = paint.faint(`  ${fault.line} | `) + printable(fault.excerpt);
  return `${heading}\n${line}\n${paint.faint(`  ${gutter} | `)}${indent(fault)}^ ${advice}`;
}

function subjectOf({ path, value }: Fault): string {
  const subject = [path === "" ? "" : `${path}:`, value].filter((part) => part !== "").join(" ");
  return subject === "" ? "" : `${printable(subject)} `;
}

/** Tabs stay tabs, so that the caret stands under its column however wide a tab is. */
function indent({ excerpt, column }: Fault): string {
  return excerpt.slice(0, column - 1).replace(/[^\t]/g, " ");
}

/** A spec from elsewhere must not steer the terminal that shows its faults. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the point here
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, "\uFFFD");
}
