import { Option } from "commander";
import type { Estate } from "../app/estate.ts";
import { TideoverError } from "../lib/errors.ts";

/** The index that a flag names, or the spec's only one. Throws USAGE naming those that there are. */
export function chosenIndex({ spec }: Estate, wanted: string | undefined): string {
  const known = Object.keys(spec.indexes);
  const [only] = known;
  if (wanted === undefined && only !== undefined && known.length === 1) return only;
  if (wanted !== undefined && known.includes(wanted)) return wanted;
  throw new TideoverError(
    wanted === undefined ? "the spec has not exactly one index" : `there is no index "${wanted}"`,
    { code: "USAGE", next: `Give --index one of: ${known.join(", ") || "(the spec has none)"}.` },
  );
}

/** The index that a flag names, or all of the spec's. Throws USAGE on an unknown one. */
export function chosenIndexes(estate: Estate, wanted: string | undefined): string[] {
  return wanted === undefined ? Object.keys(estate.spec.indexes) : [chosenIndex(estate, wanted)];
}

/** The region that a flag names, or all of the spec's. Throws USAGE on an unknown one. */
export function chosenRegions({ spec }: Estate, wanted: string | undefined): string[] {
  const known = Object.keys(spec.regions);
  if (wanted === undefined) return known;
  if (known.includes(wanted)) return [wanted];
  throw new TideoverError(`there is no region "${wanted}"`, {
    code: "USAGE",
    next: `Give --region one of: ${known.join(", ")}.`,
  });
}

export function indexOption(absent: string): Option {
  return new Option("-i, --index <name>", `which index (default: ${absent})`);
}

export function regionOption(absent: string): Option {
  return new Option("-r, --region <name>", `which region's copy (default: ${absent})`);
}
