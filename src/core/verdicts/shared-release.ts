import type { ReleasesInput } from "./input.ts";

/** Regions that all look failed at once, and for how long each does, in ms. */
export type Silence = ReadonlyMap<string, number>;

/**
 * The release that all of these regions have on trial, each since before it fell silent; null when
 * it is not so. Regions do not die together: what they have in common is then the release.
 */
export function releaseBehind(
  releases: ReleasesInput | undefined,
  silence: Silence,
): string | null {
  const trials = [...silence].map(([region, forMs]) =>
    releases?.trials.find((trial) => trial.region === region && trial.sinceMs >= forMs),
  );
  const [first] = trials;
  if (first === undefined) return null;
  return trials.every((trial) => trial?.release === first.release) ? first.release : null;
}
