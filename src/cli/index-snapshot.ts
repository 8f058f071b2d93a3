import { Command, Option } from "commander";
import { IndexAgents, type KeptSnapshot } from "../app/ask-indexes.ts";
import type { Estate } from "../app/estate.ts";
import { sizeOf } from "./artifacts-copy.ts";
import { chosenIndex, chosenRegions, indexOption, regionOption } from "./choose-index.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson, progress, table } from "./output.ts";

interface SnapshotFlags extends EstateFlags {
  readonly index?: string;
  readonly region?: string;
  readonly list: boolean;
  readonly json: boolean;
}

export function indexSnapshotCommand(): Command {
  return withEstateOptions(new Command("snapshot"))
    .description(
      "take a snapshot of an index now, as an OCI artifact of its region; the other regions copy it ahead of need",
    )
    .addOption(indexOption("the spec's only one"))
    .addOption(regionOption("the owner's"))
    .addOption(new Option("--list", "only show which snapshots each region has").default(false))
    .addOption(jsonOption())
    .action(async (flags: SnapshotFlags) => {
      const estate = runningEstate(flags);
      const agents = new IndexAgents(estate);
      try {
        if (flags.list) await list(estate, agents, flags);
        else await take(estate, agents, flags);
      } finally {
        await agents.close();
      }
    });
}

async function take(estate: Estate, agents: IndexAgents, flags: SnapshotFlags): Promise<void> {
  const index = chosenIndex(estate, flags.index);
  const [region = ""] =
    flags.region === undefined
      ? [await ownerOf(estate, agents, index)]
      : chosenRegions(estate, flags.region);
  progress(`tideover: ${region} takes a snapshot of ${index}`);
  const taken = await agents.snapshot(region, index);
  if (flags.json) return printJson({ region, index, ...taken });
  const { position, digest, bytes, newBytes } = taken;
  print(`${digest} holds ${position.count} records of ${index} at seq ${position.seq}`);
  print(`${sizeOf(bytes)}, of which ${sizeOf(newBytes)} were not there from another snapshot`);
}

/** As the first agent that answers knows it; the spec's home when none does. */
export async function ownerOf(estate: Estate, agents: IndexAgents, index: string): Promise<string> {
  for (const region of Object.keys(estate.spec.regions)) {
    const { told } = await agents.state(region, index);
    if (told !== null && told.owner !== null) return told.owner;
  }
  return estate.spec.indexes[index]?.home ?? "";
}

async function list(estate: Estate, agents: IndexAgents, flags: SnapshotFlags): Promise<void> {
  const index = chosenIndex(estate, flags.index);
  const found: (KeptSnapshot & { readonly region: string })[] = [];
  for (const region of chosenRegions(estate, flags.region)) {
    const kept = await agents.snapshots(region, index);
    found.push(...kept.map((one) => ({ region, ...one })));
  }
  if (flags.json) return printJson({ index, snapshots: found });
  const rows = found.map(({ region, position, records, bytes, hits, tag }) => [
    ...[region, String(position.seq), String(records), sizeOf(bytes), String(hits), tag],
  ]);
  for (const line of table([["region", "seq", "records", "size", "hits", "tag"], ...rows]))
    print(line);
}
