export interface LineChange {
  readonly change: "added" | "removed";
  /** From 1, in the text that has the line. */
  readonly line: number;
  readonly text: string;
}

/** Texts above this are compared as wholes: the table below grows with the product of both. */
const MOST_CELLS = 4_000_000;

/** The lines that only one of two texts has, by their longest common subsequence; null: no text. */
export function diffLines(before: string | null, after: string | null): LineChange[] {
  if (before === after) return [];
  const old = before === null ? [] : before.split("\n");
  const now = after === null ? [] : after.split("\n");
  if (old.length * now.length > MOST_CELLS) return [...all("removed", old), ...all("added", now)];
  return walk(old, now, commonLengths(old, now));
}

function all(change: LineChange["change"], lines: readonly string[]): LineChange[] {
  return lines.map((text, at) => ({ change, line: at + 1, text }));
}

/** `[i][j]`: how many lines the texts from line i and line j on have in common, in order. */
function commonLengths(old: readonly string[], now: readonly string[]): Uint32Array[] {
  const rows = Array.from({ length: old.length + 1 }, () => new Uint32Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      const row = rows[i];
      if (row === undefined) continue;
      row[j] =
        old[i] === now[j]
          ? cell(rows, i + 1, j + 1) + 1
          : Math.max(cell(rows, i + 1, j), cell(rows, i, j + 1));
    }
  }
  return rows;
}

function cell(rows: readonly Uint32Array[], i: number, j: number): number {
  return rows[i]?.[j] ?? 0;
}

function walk(
  old: readonly string[],
  now: readonly string[],
  common: readonly Uint32Array[],
): LineChange[] {
  const changes: LineChange[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    const gone = old[i];
    const come = now[j];
    if (gone !== undefined && gone === come) {
      i += 1;
      j += 1;
    } else if (
      come === undefined ||
      (gone !== undefined && cell(common, i + 1, j) >= cell(common, i, j + 1))
    ) {
      changes.push({ change: "removed", line: i + 1, text: gone ?? "" });
      i += 1;
    } else {
      changes.push({ change: "added", line: j + 1, text: come });
      j += 1;
    }
  }
  return changes;
}
