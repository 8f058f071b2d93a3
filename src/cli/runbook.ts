import { existsSync } from "node:fs";
import { Command } from "commander";
import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { openSqliteStore } from "../adapters/store-sqlite/store.ts";
import { type Runbook, runbookOf } from "../api/runbook.ts";
import type { Estate } from "../app/estate.ts";
import { TideoverError } from "../lib/errors.ts";
import { formatDuration } from "../model/units.ts";
import { connect } from "./connect.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { paint, print, printJson, progress } from "./output.ts";

export function runbookCommand(): Command {
  return withEstateOptions(new Command("runbook"))
    .description("the plan that would run now if a workflow's region failed, and who does what")
    .argument("<workflow>", "name of the workflow, as in the spec")
    .addOption(jsonOption())
    .action(async (workflow: string, flags: EstateFlags & { json: boolean }) => {
      const runbook = await presentRunbook(runningEstate(flags), workflow);
      if (flags.json) return printJson(runbook);
      for (const line of runbookLines(runbook)) print(line);
    });
}

async function presentRunbook(estate: Estate, workflow: string): Promise<Runbook> {
  try {
    return await connect(estate).runbook(workflow);
  } catch (error) {
    if (!(error instanceof TideoverError) || error.code !== "ESTATE_NOT_UP") throw error;
    if (existsSync(estate.data.store)) return runbookOfStore(estate, workflow, error.message);
    progress(
      "tideover: the estate is not up; this is the runbook of its first state, from the spec",
    );
    return runbookOf(null, estate, workflow, Date.now());
  }
}

/** With every controller dead, the plan must still start from where the traffic is by now. */
async function runbookOfStore(estate: Estate, workflow: string, why: string): Promise<Runbook> {
  progress(`tideover: ${why}; this is the runbook of what the store held last`);
  const store = openSqliteStore({ path: estate.data.store, clock: createSystemClock() });
  try {
    return await runbookOf(store, estate, workflow, Date.now());
  } finally {
    await store.close();
  }
}

/** A runbook as a person reads it: who, on what, proven how; then the plans, step by step. */
export function runbookLines(runbook: Runbook): string[] {
  const section = (title: string, lines: readonly string[]): string[] => [
    "",
    paint("bold", title),
    ...lines.map((line) => `  ${line}`),
  ];
  return [
    paint("bold", `Runbook: ${runbook.workflow}`),
    runbook.situation,
    ...section("Who declares", [runbook.whoDeclares]),
    ...section("On what signals", runbook.signals.map(bullet)),
    ...section("Verified before traffic opens", runbook.verifiedBeforeOpening.map(bullet)),
    ...section("Versions expected", runbook.expectedVersions.map(bullet)),
    ...section("Acceptable degraded modes, in this order", runbook.acceptableModes.map(bullet)),
    ...section("How customers are told", [runbook.customers]),
    ...section("The plan that would run", planLines(runbook.plan)),
    ...indexSection(runbook).flatMap(([title, lines]) => section(title, lines)),
    ...releaseSections(runbook).flatMap(([title, lines]) => section(title, lines)),
  ];
}

function indexSection({ indexMove }: Runbook): [title: string, lines: string[]][] {
  if (indexMove === null) return [];
  const index = indexMove.decision.index?.name ?? "";
  return [[`Its index alone: \`tideover index move --index ${index}\``, planLines(indexMove)]];
}

/** A release is every workflow's: its runbook is the same in each of theirs. */
function releaseSections({ release }: Runbook): [title: string, lines: string[]][] {
  if (release === null) return [];
  const { activation, rollback } = release;
  return [
    ["Another release: `tideover release activate FOLDER`", planLines(activation)],
    ["Back to the last good one: `tideover release rollback`", planLines(rollback)],
  ];
}

function planLines(plan: Runbook["plan"]): string[] {
  if (!plan) return ["none: see above"];
  return plan.steps.flatMap((step, index) => [
    `${index + 1}. ${paint("bold", step.id)}  (at most ${formatDuration(step.deadlineMs)})`,
    `   needs  ${step.precondition}`,
    `   does   ${step.effect}`,
    `   proof  ${step.proof}`,
    `   undo   ${step.undo}`,
  ]);
}

function bullet(line: string): string {
  return `- ${line}`;
}
