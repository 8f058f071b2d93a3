import { Command } from "commander";
import { type ArtifactsOfRegion, askArtifacts } from "../app/artifacts-status.ts";
import type { HeldArtifact } from "../model/artifact-status.ts";
import { formatDuration } from "../model/units.ts";
import { sizeOf } from "./artifacts-copy.ts";
import { EXIT } from "./exit-codes.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { paint, print, printJson, table } from "./output.ts";

export function artifactsStatusCommand(): Command {
  return withEstateOptions(new Command("status"))
    .description("what each region has of releases, models and images, and how long the rest takes")
    .addOption(jsonOption())
    .action(async (flags: EstateFlags & { json: boolean }) => {
      const regions = await askArtifacts(runningEstate(flags));
      if (flags.json) printJson({ regions });
      else for (const line of statusLines(regions)) print(line);
      // An agent that is silent may have nothing: whoever scripts this must see it.
      if (regions.some(({ status }) => status === null)) process.exitCode = EXIT.unavailable;
    });
}

/** As a person reads it: a line an artifact and region, the problems after. */
export function statusLines(regions: readonly ArtifactsOfRegion[]): string[] {
  const rows = regions.flatMap(({ region, status }) =>
    (status?.artifacts ?? []).map((one) => rowOf(region, one)),
  );
  const head = ["REGION", "ARTIFACT", "STATE", "PRESENT", "CACHED", "VERIFIED", "MISSING", "REST"];
  return [...(rows.length === 0 ? [] : table([head, ...rows])), ...regions.flatMap(remarks)];
}

function rowOf(region: string, { digest, names, state, bytes, remainingMs }: HeldArtifact) {
  const name =
    names.length === 0 ? digest.slice(0, 19) : `${names.join(",")} ${digest.slice(0, 19)}`;
  const sizes =
    bytes === null
      ? ["-", "-", "-", "-"]
      : [bytes.present, bytes.cached, bytes.verified, bytes.missing].map(sizeOf);
  return [
    region,
    name,
    state,
    ...sizes,
    remainingMs === null ? "unknown" : formatDuration(remainingMs),
  ];
}

function remarks({ region, status, error }: ArtifactsOfRegion): string[] {
  if (status === null) return [`${region}: ${paint("red", error ?? "unknown")}`];
  if (status.source === null) return [`${region}: the spec names no place to copy artifacts from`];
  const free = status.freeBytes === null ? "" : `, ${sizeOf(status.freeBytes)} free`;
  const count = status.artifacts.length;
  return [
    `${region}: ${count} ${count === 1 ? "artifact" : "artifacts"} from ${status.source}${free}`,
    ...(status.error === null ? [] : [`${region}: the source cannot be asked: ${status.error}`]),
    ...status.artifacts.flatMap((one) => (one.error === null ? [] : [`${region}: ${one.error}`])),
  ];
}
