import { Command, Option } from "commander";
import { indexSubject } from "../model/decision.ts";
import { chosenIndex, indexOption } from "./choose-index.ts";
import { connect } from "./connect.ts";
import { secondsOf } from "./move.ts";
import { followPlan, type MoveOutcome, newestSeq } from "./move-request.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson, progress } from "./output.ts";

interface IndexMoveFlags extends EstateFlags {
  readonly index?: string;
  readonly to?: string;
  readonly acceptLoss?: boolean;
  readonly by?: string;
  readonly timeout: string;
  readonly json: boolean;
}

export function indexMoveCommand(): Command {
  return withEstateOptions(new Command("move"))
    .description(
      "give an index another owner: proven, drained, nothing lost; no traffic moves (1: not done)",
    )
    .addOption(indexOption("the spec's only one"))
    .addOption(
      new Option(
        "--to <region>",
        "region that shall own it (default: the first whose copy is good)",
      ),
    )
    .addOption(
      new Option("--accept-loss", "also where the owner cannot be asked for its last changes"),
    )
    .addOption(
      new Option("--by <name>", "who decides, for the record").env("USER").default("operator"),
    )
    .addOption(
      new Option("--timeout <seconds>", "how long to wait for the plan to end").default("300"),
    )
    .addOption(jsonOption())
    .action(move);
}

async function move(flags: IndexMoveFlags): Promise<void> {
  const timeoutMs = secondsOf(flags.timeout) * 1_000;
  const estate = runningEstate(flags);
  const index = chosenIndex(estate, flags.index);
  const control = connect(estate);
  const afterSeq = await newestSeq(control);
  const request = await control.moveIndex(index, {
    to: flags.to ?? null,
    by: flags.by ?? "operator",
    acceptLoss: flags.acceptLoss === true,
  });
  progress(`tideover: asked for another owner of ${index}; waiting for its plan`);
  const outcome = await followPlan(control, {
    what: `move of index ${index}`,
    subject: indexSubject(index),
    kinds: ["move-index"],
    request,
    afterSeq,
    timeoutMs,
    onProgress: progress,
  });
  if (flags.json) printJson(outcome);
  else print(sentenceOf(outcome, index));
  if (!outcome.completed) process.exitCode = 1;
}

function sentenceOf({ plan, completed, because }: MoveOutcome, index: string): string {
  if (plan === null) return because;
  const { to } = plan.plan.decision;
  return completed
    ? `${to.join(", ")} owns ${index}: ${because}`
    : `the move of ${index} to ${to.join(", ")} FAILED: ${because}`;
}
