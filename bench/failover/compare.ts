/** What a caller got, beside the uncut answer, in words. */
export interface Difference {
  readonly lost: number;
  readonly duplicated: number;
}

/**
 * Words of the answer that are missing, and words too many. Of a cut answer only what stands before
 * its end can be missing: the rest is counted as the cut itself.
 */
export function compare(uncut: string, got: string, cut: boolean): Difference {
  if (got === uncut || (cut && uncut.startsWith(got))) return { lost: 0, duplicated: 0 };
  const wanted = words(cut ? uncut.slice(0, got.length) : uncut);
  const came = words(got);
  const common = longestCommon(wanted, came);
  return { lost: wanted.length - common, duplicated: came.length - common };
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** Length of the longest common subsequence: what both hold in the same order. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  let above = new Uint32Array(b.length + 1);
  for (const word of a) {
    const row = new Uint32Array(b.length + 1);
    for (const [at, other] of b.entries()) {
      const longer = Math.max(above[at + 1] ?? 0, row[at] ?? 0);
      row[at + 1] = word === other ? (above[at] ?? 0) + 1 : longer;
    }
    above = row;
  }
  return above[b.length] ?? 0;
}
