import { Command, InvalidArgumentError, Option } from "commander";
import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { IndexAgents } from "../app/ask-indexes.ts";
import type { Estate } from "../app/estate.ts";
import { TideoverError } from "../lib/errors.ts";
import type { LogEntry } from "../model/change.ts";
import { chosenIndex, chosenRegions, indexOption, regionOption } from "./choose-index.ts";
import { interruptible } from "./interrupt.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson, progress } from "./output.ts";

interface TailFlags extends EstateFlags {
  readonly index?: string;
  readonly region?: string;
  readonly after?: number;
  readonly json: boolean;
}

const EVERY_MS = 500;
/** Entries before the newest that are shown at the start, as `tail` does. */
const SHOWN = 10;

export function indexTailCommand(): Command {
  return withEstateOptions(new Command("tail"))
    .description("follow an index's change log, a line a change, until Ctrl-C")
    .addOption(indexOption("the spec's only one"))
    .addOption(regionOption("the owner"))
    .addOption(
      new Option(
        "-a, --after <seq>",
        `begin after this seq (default: ${SHOWN} before the newest)`,
      ).argParser(wholeNumber),
    )
    .addOption(jsonOption())
    .action((flags: TailFlags) => interruptible((signal) => tail(flags, signal)));
}

function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Give a whole number, 0 or above.");
}

async function tail(flags: TailFlags, signal: AbortSignal): Promise<void> {
  const estate = runningEstate(flags);
  const index = chosenIndex(estate, flags.index);
  const agents = new IndexAgents(estate);
  const clock = createSystemClock();
  try {
    const { region, seq } = await whereToBegin(agents, estate, index, flags.region);
    let after = flags.after ?? Math.max(0, seq - SHOWN);
    progress(`tideover: the changes of ${index} in ${region} after ${after}`);
    const ask = patient((from) => agents.entries(region, index, from));
    while (!signal.aborted) {
      const entries = await ask(after);
      noteGap(entries, after);
      for (const entry of entries) show(entry, flags.json);
      after = entries.at(-1)?.seq ?? after;
      if (entries.length === 0) await clock.sleep(EVERY_MS, signal);
    }
  } finally {
    await agents.close();
  }
}

type Ask = (after: number) => Promise<readonly LogEntry[]>;

/** An agent that restarts is waited for: who follows a log wants to see what comes after it, too. */
function patient(ask: Ask): Ask {
  let isAway = false;
  return async (after) => {
    try {
      const entries = await ask(after);
      if (isAway) progress("tideover: it answers again");
      isAway = false;
      return entries;
    } catch (error) {
      if (!(error instanceof TideoverError) || error.code !== "PEER_UNAVAILABLE") throw error;
      if (!isAway) progress(`tideover: ${error.message}; waiting for it`);
      isAway = true;
      return [];
    }
  };
}

async function whereToBegin(
  agents: IndexAgents,
  estate: Estate,
  index: string,
  wanted: string | undefined,
): Promise<{ region: string; seq: number }> {
  for (const region of chosenRegions(estate, wanted)) {
    const { told } = await agents.state(region, index);
    if (told !== null && (wanted !== undefined || told.owner === region)) {
      return { region, seq: told.position.seq };
    }
  }
  const who = wanted === undefined ? `the owner of ${index}` : `the agent of ${wanted}`;
  throw new TideoverError(`${who} does not answer`, {
    code: "PEER_UNAVAILABLE",
    next: "Name another region's copy with --region.",
  });
}

/** A log that was trimmed, or began with a restore, does not reach back as far as was asked. */
function noteGap(entries: readonly LogEntry[], after: number): void {
  const [first] = entries;
  if (first === undefined || first.seq === after + 1) return;
  progress(`tideover: the log begins at ${first.seq}; what came before is in no log any more`);
}

function show(entry: LogEntry, json: boolean): void {
  const { vector, ...rest } = entry;
  const dimensions = Buffer.byteLength(vector, "base64") / 4;
  if (json) printJson({ ...rest, dimensions }, 0);
  else print(tailLine(entry));
}

/** One change as a line: seq, source time, what, which, for whom. */
export function tailLine(entry: LogEntry): string {
  const { seq, sourceTime, op, id, title, audience, labels, epoch } = entry;
  const time = new Date(sourceTime).toISOString();
  const whom = audience === "" ? "all" : audience;
  const head = `${String(seq).padStart(8)}  ${time}  e${epoch}  ${op.padEnd(9)}`;
  if (op === "watermark") return `${head}  ${whom}`;
  if (op === "delete") return `${head}  ${id}`;
  const marks = labels.length === 0 ? "" : `  [${labels.join(", ")}]`;
  return `${head}  ${id}  ${whom}${marks}  ${title}`;
}
