import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/**
 * Text for people on a terminal. Colours only where a person sees them: `styleText` looks at the
 * stream, NO_COLOR and FORCE_COLOR itself, so that pipes and files get plain text.
 */
export function paint(
  style: Style,
  text: string,
  stream: NodeJS.WriteStream = process.stdout,
): string {
  return styleText(style, text, { stream });
}

export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

/** Progress goes to standard error: standard output is for results, and `--json` for machines. */
export function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** `progress` with the seconds since this was made before each line, for what takes a while. */
export function timedProgress(): (line: string) => void {
  const start = performance.now();
  return (line) => {
    const seconds = ((performance.now() - start) / 1_000).toFixed(1);
    progress(`${seconds.padStart(6)} s  ${line}`);
  };
}

/** One JSON document, as the only thing on standard output. */
export function printJson(value: unknown, indent = 2): void {
  process.stdout.write(`${JSON.stringify(value, null, indent)}\n`);
}

/** Columns aligned to their widest cell; the last one is left as it is. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
