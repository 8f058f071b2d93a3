import { Command } from "commander";
import { IndexAgents, type IndexCopy, type OfCopy } from "../app/ask-indexes.ts";
import type { Estate } from "../app/estate.ts";
import type { IndexStanding } from "../model/index-health.ts";
import type { RestoreState } from "../model/restore.ts";
import { formatDuration } from "../model/units.ts";
import { chosenIndexes, indexOption } from "./choose-index.ts";
import { EXIT } from "./exit-codes.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { paint, print, printJson, table } from "./output.ts";

interface StatusFlags extends EstateFlags {
  readonly index?: string;
  readonly json: boolean;
}

export function indexStatusCommand(): Command {
  return withEstateOptions(new Command("status"))
    .description("how each region's copy stands: position, lag, faults, watermark, last look")
    .addOption(indexOption("all"))
    .addOption(jsonOption())
    .action(async (flags: StatusFlags) => {
      const estate = runningEstate(flags);
      const copies = await askAll(estate, chosenIndexes(estate, flags.index));
      if (flags.json) printJson({ copies: copies.map(asJson) });
      else for (const line of indexStatusLines(copies, Date.now())) print(line);
      process.exitCode = exitOf(copies);
    });
}

async function askAll(estate: Estate, indexes: readonly string[]): Promise<OfCopy<IndexCopy>[]> {
  const agents = new IndexAgents(estate);
  const regions = Object.keys(estate.spec.regions);
  try {
    return await Promise.all(
      indexes.flatMap((index) => regions.map((region) => agents.state(region, index))),
    );
  } finally {
    await agents.close();
  }
}

function asJson({ region, index, told, error }: OfCopy<IndexCopy>) {
  if (told === null) return { region, index, error };
  const { at: _, ...state } = told;
  return { region, ...state };
}

/** A silent agent is worse to know nothing of than a fault that is told. */
function exitOf(copies: readonly OfCopy<IndexCopy>[]): number {
  if (copies.some(({ told }) => told === null)) return EXIT.unavailable;
  return copies.some(({ told }) => isBad(told)) ? EXIT.failed : EXIT.ok;
}

function isBad(copy: IndexCopy | null): boolean {
  return copy?.fault != null || copy?.standing?.kind === "quarantined" || copy?.error != null;
}

/** As a person reads it: a line a copy, and under the table what is wrong with which. */
export function indexStatusLines(copies: readonly OfCopy<IndexCopy>[], now: number): string[] {
  const rows = copies.flatMap(({ region, told }) =>
    told === null ? [] : [rowOf(region, told, now)],
  );
  const head = [
    "INDEX",
    "REGION",
    "ROLE",
    "POSITION",
    "LAG",
    "RECORDS",
    "STANDING",
    "WATERMARK",
    "LOOKED AT",
  ];
  return [...(rows.length === 0 ? [] : table([head, ...rows])), ...copies.flatMap(remarks)];
}

function rowOf(region: string, copy: IndexCopy, now: number): string[] {
  const { index, position, owner, lagMs, standing, watermarks, scrub } = copy;
  const all = watermarks?.all ?? 0;
  const whole = scrub?.wholeAgoMs ?? null;
  return [
    index,
    region,
    owner === region ? "owner" : "replica",
    `${position.seq}@${position.digest.slice(0, 8)}`,
    owner === region ? "-" : lagMs === 0 ? "level" : formatDuration(lagMs),
    String(position.count),
    standing === undefined ? "unknown" : standingWord(standing),
    all === 0 ? "none" : `${formatDuration(Math.max(0, now - all))} ago`,
    whole === null ? "not yet" : `${formatDuration(whole)} ago`,
  ];
}

function standingWord(standing: IndexStanding): string {
  if (standing.kind === "whole") return "whole";
  if (standing.kind === "quarantined") return paint("red", "quarantined");
  return `${standing.kind} ${standing.loaded}/${standing.total}`;
}

/** How far a restore is, and how much of the observed traffic is answered by what is in. */
function restoreWord({ snapshot, loaded, total, servable }: RestoreState): string {
  if (snapshot === null) return "looking for a snapshot that fits";
  const share = servable === null ? "" : `, ${(servable * 100).toFixed(1)} % of the traffic`;
  return `${loaded} of ${total} records${share}`;
}

/** One version is nothing to speak of; of several, what each is good for. */
function versionWords({ versions, reindex }: IndexCopy): string[] {
  const underWay = reindex?.running === true ? reindex : null;
  const words = versions.map(({ name, whole }) => {
    if (underWay?.embedding !== name) return `${name} (${whole ? "answers" : "in a part of it"})`;
    const verb = underWay.work === "drop" ? "being dropped" : "being built";
    return `${name} (${verb}: ${underWay.done} of ${underWay.total} records)`;
  });
  const several = versions.length > 1 ? [`has vectors of ${words.join(", ")}`] : [];
  const failed = underWay === null ? (reindex?.error ?? null) : null;
  return failed === null ? several : [...several, `reindex of ${reindex?.embedding}: ${failed}`];
}

function remarks({ region, index, told, error }: OfCopy<IndexCopy>): string[] {
  if (told === null) return [`${region}: ${index}: ${paint("red", error)}`];
  const { fault, standing, scrub, restore } = told;
  const lines = versionWords(told);
  if (restore !== undefined) lines.push(`is restored: ${restoreWord(restore)}`);
  if (fault != null) lines.push(`${paint("red", fault.kind)}: ${fault.because}`);
  else if (standing?.kind === "quarantined") lines.push(standing.because);
  const isBad = fault != null || standing?.kind === "quarantined" || restore !== undefined;
  if (isBad && scrub?.cure != null) lines.push(scrub.cure);
  if (told.error !== null) lines.push(told.error);
  if (told.orphans > 0) lines.push(`${told.orphans} changes that only it had are kept as orphans`);
  return lines.map((line) => `${region}: ${index}: ${line}`);
}
