import { Command } from "commander";
import {
  type EstateStatus,
  readStatus,
  type TargetStatus,
  type WorkflowStatus,
} from "../api/status.ts";
import type { Estate } from "../app/estate.ts";
import { formatDuration } from "../model/units.ts";
import { AGE_UNKNOWN, askOrRead } from "./connect.ts";
import { expiredSentence, isExpired } from "./expiry.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { paint, print, printJson, table } from "./output.ts";

export function statusCommand(): Command {
  return withEstateOptions(new Command("status"))
    .description("who serves what, is each standby ready and if not why, how far the indexes lag")
    .addOption(jsonOption())
    .action(async (flags: EstateFlags & { json: boolean }) => {
      const status = await statusOf(runningEstate(flags));
      if (flags.json) return printJson(status);
      for (const line of statusLines(status, Date.now())) print(line);
    });
}

function statusOf(estate: Estate): Promise<EstateStatus> {
  return askOrRead(
    estate,
    (control) => control.status(),
    async (store) => ({ ...(await readStatus(store, estate.spec, AGE_UNKNOWN)), leader: null }),
  );
}

/** The status as a person reads it: the answer first, the figures after. */
export function statusLines(status: EstateStatus, now: number): string[] {
  const leader = status.leader ?? paint("red", "no controller leads");
  return [
    `${paint("bold", status.estate)}  leader ${leader}  snapshot ${status.snapshot ?? "-"}  release ${releaseText(status)}`,
    ...expiredLine(status, now),
    "",
    ...table([
      ["WORKFLOW", "SERVED BY", "EPOCH", "MODE", "RTO", "RPO", "STANDBY"],
      ...status.workflows.map(workflowRow),
    ]),
    "",
    ...table([["REGION", "AGENT", "GATEWAY SERVES", "INDEXES"], ...status.regions.map(regionRow)]),
    ...(status.targets.length > 0
      ? ["", ...table([TARGETS, ...status.targets.map(targetRow)])]
      : []),
    "",
    ...status.workflows.map(({ workflow, lastDecision }) => `${workflow}: ${lastDecision}`),
    ...status.ownerships.map(({ index, lastDecision }) => `index ${index}: ${lastDecision}`),
    ...status.plans.map((plan) => `${plan.kind} of ${plan.workflow} is at step ${plan.at}`),
    ...(status.recent.length > 0 ? ["", "Lately:"] : []),
    ...status.recent.map(
      ({ at, text }) => `  ${new Date(at).toISOString().slice(11, 19)}  ${text}`,
    ),
  ];
}

function workflowRow(workflow: WorkflowStatus): string[] {
  return [
    workflow.workflow,
    workflow.serving.join(", ") || "nobody yet",
    String(workflow.epoch),
    workflow.mode,
    formatDuration(workflow.rtoMs),
    formatDuration(workflow.rpoMs),
    workflow.standbys.map(standbyText).join("; ") || "-",
  ];
}

function standbyText({ region, ready, because }: WorkflowStatus["standbys"][number]): string {
  if (ready === null) return `${region} unknown: ${because}`;
  return ready ? `${region} ready (${because})` : `${region} NOT READY: ${because}`;
}

function regionRow(region: EstateStatus["regions"][number]): string[] {
  const indexes = region.indexes.map(indexText);
  const { gatewaySnapshot } = region;
  return [
    `${region.region} (${region.jurisdiction})`,
    region.agent,
    gatewaySnapshot === null ? "-" : `snapshot ${gatewaySnapshot}`,
    indexes.join("; ") || "-",
  ];
}

function expiredLine({ releaseDigest, releaseExpires }: EstateStatus, now: number): string[] {
  if (releaseDigest === null || !isExpired(releaseExpires, now)) return [];
  return [paint("red", expiredSentence(releaseDigest.slice(0, 19), releaseExpires))];
}

function indexText(state: EstateStatus["regions"][number]["indexes"][number]): string {
  const { index, position, lagMs, orphans, error, watermarks } = state;
  const trouble = error ? ` (${error})` : "";
  const lost = orphans > 0 ? `, ${orphans} orphaned changes` : "";
  const newest = Math.max(watermarks?.all ?? 0, ...Object.values(watermarks?.tenants ?? {}));
  const vouched = newest > 0 ? `, vouched for up to ${new Date(newest).toISOString()}` : "";
  return `${index} at ${position.seq}, ${position.count} documents, lag ${formatDuration(lagMs)}${vouched}${lost}${standingText(state)}${trouble}`;
}

/** What speaks against a copy, in capitals: it decides whether anybody is answered from it. */
function standingText({
  fault,
  standing,
}: EstateStatus["regions"][number]["indexes"][number]): string {
  if (fault) return `, DAMAGED (${fault.kind}: ${fault.because})`;
  if (standing?.kind === "quarantined") return `, IN QUARANTINE (${standing.because})`;
  if (standing?.kind === "restoring" || standing?.kind === "partial") {
    return `, being restored (${standing.loaded} of ${standing.total})`;
  }
  return "";
}

/** While an activation moves region by region, there is no one release to name. */
function releaseText({ releaseDigest, snapshot }: EstateStatus): string {
  if (releaseDigest !== null) return releaseDigest.slice(0, 19);
  return snapshot === null ? "-" : "differs by region (tideover release status)";
}

const TARGETS = ["TARGET NOT WELL", "OF", "SEEN BY", "STANDING", "SINCE", "EJECTIONS", "WHY"];

const STANDINGS: Readonly<Record<TargetStatus["standing"], string>> = {
  failing: "fails, and is asked",
  slow: "slow, asked last",
  out: "left alone",
  trial: "waits for one request",
};

function targetRow(target: TargetStatus): string[] {
  return [
    target.target,
    target.region,
    `gateway of ${target.gateway}`,
    STANDINGS[target.standing],
    formatDuration(target.sinceMs),
    String(target.ejections),
    target.because,
  ];
}
