import { table } from "../support/figures.ts";
import type { FaultResult } from "./judge.ts";
import { blackHoleIs } from "./network.ts";
import type { Script } from "./strike.ts";

/** What one measured thing did in all faults, or why there are no figures of it. */
export interface Measured {
  readonly name: string;
  readonly results: readonly FaultResult[];
  readonly missing: string | null;
}

const HEADS = ["errors", "cut", "duplicated", "lost", "detect ms", "added p50", "p99", "hit"];

/** For people. */
export function report(all: readonly Measured[], { dropIn, perSecond, streams }: Script): string {
  const who = dropIn
    ? "at Tideover with its fetch and both gateways, at a peer at its one address"
    : "at the surviving gateway alone, at a peer at its one address";
  return [
    `${perSecond} requests/s and ${streams} open streams, the official client ${who}`,
    `black-hole: ${blackHoleIs()}`,
    ...all.map(section),
  ].join("\n");
}

function section({ name, results, missing }: Measured): string {
  if (missing !== null) return `\n${name}: left out, ${missing}`;
  const rows = results.map((one) => [
    one.name,
    ...[one.errors, one.cut, one.duplicated, one.lost].map(String),
    ...[one.detectMs, one.addedP50Ms, one.addedP99Ms].map((ms) => String(ms ?? "-")),
    `${one.hit} of ${one.requests + one.streams}`,
  ]);
  const notes = results.flatMap(({ name: fault, firstFailure, detectedBy, noise }) => [
    ...(noise === null ? [] : [`${fault}, do not trust its added times: ${noise}`]),
    ...(detectedBy === null ? [] : [`${fault} was noticed first by: ${detectedBy}`]),
    ...(firstFailure === null ? [] : [`${fault}, first failure: ${firstFailure}`]),
  ]);
  return ["", table([[name, ...HEADS], ...rows]), ...notes].join("\n");
}
