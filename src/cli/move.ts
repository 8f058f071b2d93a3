import { Command, Option } from "commander";
import { TideoverError } from "../lib/errors.ts";
import type { OperatorRequest } from "../model/request.ts";
import { type MoveOutcome, requestMove } from "./move-request.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson, progress } from "./output.ts";

interface MoveFlags extends EstateFlags {
  readonly json: boolean;
  readonly to?: string;
  readonly by?: string;
  readonly timeout: string;
}

const KINDS: readonly { kind: OperatorRequest["kind"]; description: string; to: string }[] = [
  {
    kind: "failover",
    description: "declare that the serving region of a workflow has failed, and move it now",
    to: "region that shall serve (default: the first standby that is ready)",
  },
  {
    kind: "switchover",
    description:
      "move a workflow to another region as planned: drained, level, proven, nothing lost",
    to: "region that shall serve (default: the first standby that is ready)",
  },
  {
    kind: "failback",
    description: "move a workflow back to its primary as planned",
    to: "region that shall serve (default: the workflow's primary)",
  },
];

export function moveCommands(): Command[] {
  return KINDS.map(({ kind, description, to }) =>
    withEstateOptions(new Command(kind))
      .description(description)
      .argument("<workflow>", "name of the workflow, as in the spec")
      .addOption(new Option("--to <region>", to))
      .addOption(
        new Option("--by <name>", "who decides, for the record").env("USER").default("operator"),
      )
      .addOption(
        new Option("--timeout <seconds>", "how long to wait for the plan to end").default("60"),
      )
      .addOption(jsonOption())
      .action((workflow: string, flags: MoveFlags) => move(kind, workflow, flags)),
  );
}

async function move(
  kind: OperatorRequest["kind"],
  workflow: string,
  flags: MoveFlags,
): Promise<void> {
  const seconds = secondsOf(flags.timeout);
  const outcome = await requestMove(runningEstate(flags), {
    kind,
    workflow,
    to: flags.to ?? null,
    by: flags.by ?? "operator",
    timeoutMs: seconds * 1_000,
    onProgress: progress,
  });
  if (flags.json) printJson(outcome);
  else print(sentenceOf(outcome, kind, workflow));
  if (!outcome.completed) process.exitCode = 1;
}

/** Of `--timeout`. Throws USAGE. */
export function secondsOf(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new TideoverError(`--timeout "${text}" is no number of seconds`, {
    code: "USAGE",
    next: "Give a number above 0, such as --timeout 60.",
  });
}

/** A refusal says what it refuses; of a plan people want to hear first how it ended. */
function sentenceOf(
  { plan, completed, because }: MoveOutcome,
  kind: string,
  workflow: string,
): string {
  if (plan === null) return because;
  return `${kind} of ${workflow} ${completed ? "completed" : "FAILED"} under epoch ${plan.plan.epoch}: ${because}`;
}
