import { TideoverError } from "../lib/errors.ts";
import type { RegionSpec } from "../model/spec.ts";
import type { Estate } from "./estate.ts";

/** Host and port of a spec address; the spec's rules have already judged its form. */
export function listenAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

export function regionOf(estate: Estate, name: string): RegionSpec {
  const region = estate.spec.regions[name];
  if (region) return region;
  const known = Object.keys(estate.spec.regions).join(", ");
  throw new TideoverError(`${estate.specPath} has no region "${name}"`, {
    code: "USAGE",
    next: `Give --region one of: ${known}.`,
  });
}
