import { Command } from "commander";
import {
  type RegionRelease,
  type ReleaseStatus,
  readReleaseStatus,
} from "../api/release-status.ts";
import type { Estate } from "../app/estate.ts";
import { formatDuration } from "../model/units.ts";
import { AGE_UNKNOWN, askOrRead } from "./connect.ts";
import { expiredSentence, expiryText, isExpired } from "./expiry.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { paint, print, printJson, table } from "./output.ts";

export function releaseStatusCommand(): Command {
  return withEstateOptions(new Command("status"))
    .description(
      "which release each region shall serve, which it serves and since when, and which file differs",
    )
    .addOption(jsonOption())
    .action(async (flags: EstateFlags & { json: boolean }) => {
      const status = await statusOf(runningEstate(flags));
      if (flags.json) return printJson(status);
      for (const line of releaseStatusLines(status, Date.now())) print(line);
    });
}

function statusOf(estate: Estate): Promise<ReleaseStatus> {
  return askOrRead(
    estate,
    (control) => control.release(),
    (store) => readReleaseStatus(store, estate.spec, AGE_UNKNOWN),
  );
}

/** The status as a person reads it: the answer first, the figures after. */
export function releaseStatusLines(status: ReleaseStatus, now: number): string[] {
  if (status.epoch === null) return [`${status.estate} has no release`];
  const { changing, good, known, regions } = status;
  const doing = changing === null ? "at rest" : `${changing.kind} by plan ${changing.plan}`;
  const back = good[1] === undefined ? "none is known" : nameOf(status, good[1]);
  return [
    `${paint("bold", status.estate)}  release epoch ${status.epoch}  ${doing}  snapshot ${status.snapshot ?? "-"}`,
    `last good ${nameOf(status, good[0] ?? "")}; before it ${back}`,
    ...(status.because === null ? [] : [status.because]),
    ...expiredLines(status, now),
    "",
    ...table([
      ["REGION", "SHALL SERVE", "SERVES", "FOR", "ACKNOWLEDGED", "FOUND"],
      ...regions.map((region) => regionRow(status, region)),
    ]),
    "",
    ...table([
      ["KNOWN", "VERSION", "NUMBER", "SIGNED UNTIL", "BY"],
      ...known.map(({ digest, name, version, number, expires, by }) => [
        short(digest),
        `${name} ${version}`,
        number === null ? "-" : String(number),
        expires === null ? "-" : expiryText(expires, now),
        by,
      ]),
    ]),
  ];
}

/** Said of what runs now, and loudly: it goes on being served, and no gateway starts with it. */
function expiredLines({ known, regions }: ReleaseStatus, now: number): string[] {
  const runs = new Set(regions.map(({ intended }) => intended));
  return known
    .filter(({ digest }) => runs.has(digest))
    .flatMap(({ digest, version, expires }) =>
      isExpired(expires, now)
        ? [paint("red", expiredSentence(`${version} (${short(digest)})`, expires))]
        : [],
    );
}

function regionRow(status: ReleaseStatus, region: RegionRelease): string[] {
  const { serves, intended, because } = region;
  const right = serves?.digest === intended && region.lastError === null;
  return [
    region.region,
    nameOf(status, intended),
    serves?.digest ? nameOf(status, serves.digest) : "-",
    serves?.digestForMs == null ? "-" : formatDuration(serves.digestForMs),
    serves === null ? "-" : `${serves.number}, for ${formatDuration(serves.numberForMs)}`,
    right ? because : paint("red", because),
  ];
}

function nameOf({ known }: ReleaseStatus, digest: string): string {
  const version = known.find((one) => one.digest === digest)?.version;
  return version === undefined ? short(digest) : `${version} (${short(digest)})`;
}

function short(digest: string): string {
  return digest.slice(0, 19);
}
