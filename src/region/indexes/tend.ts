import type { Acceptance } from "../../core/reconcile/acceptance.ts";
import { diagnose } from "../../core/reconcile/diagnosis.ts";
import {
  alteredOf,
  describeFindings,
  type Finding,
  missingOf,
} from "../../core/reconcile/scrub.ts";
import { messageOf } from "../../lib/errors.ts";
import type { IndexFault, IndexFaultKind } from "../../model/index-health.ts";
import type { LocalIndex } from "../local-index.ts";
import type { Part } from "../ticker.ts";
import type { World } from "../world.ts";
import { accept } from "./accept.ts";
import { measure } from "./measure.ts";
import type { Proofs } from "./proofs.ts";
import { rebuild } from "./rebuild.ts";
import { describeMended, mend } from "./repair.ts";
import { scrubAll, scrubSome } from "./scrub.ts";

/** Least time between two proofs by searches. */
const PROVE_MS = 15_000;
/** And so many times as long as the last one took: in a large index each search is dear. */
const PROVE_REST = 50;
/** A copy that could not be cured is examined again after ten times as long as it took, within these. */
const REST_MS = 2_000;
const LONGEST_REST_MS = 300_000;

/** One part an index: looked at all the time, and cured when something is found. */
export function tendParts(world: World): Part[] {
  const { interval } = world.options.spec.detection;
  return [...world.indexes.values()].map((local) => ({
    name: `tend index ${local.name}`,
    everyMs: interval,
    work: () => local.health.tending.run(() => tend(world, local)),
  }));
}

async function tend(world: World, local: LocalIndex): Promise<void> {
  const { kind } = await local.store.standing();
  // Whoever restores a copy proves it as well.
  if (kind === "restoring" || kind === "partial") return;
  if (kind === "whole" && (await looksWell(world, local))) return;
  if (local.health.restUntil > world.options.clock.monotonic()) return;
  await cure(world, local);
}

/** Looks at a share, and now and then asks for proofs. What is found is quarantined at once. */
async function looksWell(world: World, local: LocalIndex): Promise<boolean> {
  const { clock } = world.options;
  const { findings } = await (local.health.doubted ? scrubAll : scrubSome)(world, local);
  local.health.doubted = false;
  if (findings.length > 0) {
    await quarantine(world, local, describeFindings(findings));
    local.health.restUntil = 0;
    return false;
  }
  const began = clock.monotonic();
  if (began < local.health.proveAfter) return true;
  const { measures } = await measure(world, local, []);
  const ended = clock.monotonic();
  local.health.proveAfter = ended + Math.max(PROVE_MS, PROVE_REST * (ended - began));
  const fault = diagnose(measures);
  if (fault === null) return true;
  await quarantine(world, local, fault.because);
  local.health.restUntil = 0;
  return false;
}

async function quarantine(world: World, local: LocalIndex, because: string): Promise<void> {
  await local.store.quarantine(because);
  const { region, logger } = world.options;
  logger.warn({ index: local.name }, `${region} quarantines its copy of ${local.name}: ${because}`);
  tell(world, local);
}

/** Quarantines a copy for a fault that has been diagnosed. */
export async function quarantineFor(
  world: World,
  local: LocalIndex,
  fault: IndexFault,
): Promise<void> {
  local.health.fault = fault;
  await quarantine(world, local, `${fault.kind}: ${fault.because}`);
}

/** Not waited for: proving readiness takes a while, and the cure must not wait for it. */
function tell(world: World, local: LocalIndex): void {
  void Promise.allSettled(world.onStanding.map((told) => told(local.name)));
}

/** What an examination of a whole copy gave. */
export interface Examined {
  readonly findings: readonly Finding[];
  readonly fault: IndexFault | null;
  readonly proofs: Proofs;
}

/** Looks at every record, tries the searches, and says what is wrong. */
export async function examine(world: World, local: LocalIndex): Promise<Examined> {
  const { findings } = await scrubAll(world, local);
  const { measures, proofs } = await measure(world, local, findings);
  const fault = diagnose(measures);
  return { findings, fault, proofs };
}

/** Of a quarantined copy: what is wrong, what can be done about it, and whether it may answer. */
export async function cure(world: World, local: LocalIndex): Promise<Acceptance> {
  const { health } = local;
  const { clock } = world.options;
  const began = clock.monotonic();
  const before = await examine(world, local);
  if (before.fault !== null) await report(world, local, before.fault);
  const after = await mended(world, local, before);
  const acceptance = await accept(world, local, after.findings, after.proofs);
  if (acceptance.pass && after.fault === null) await lift(world, local);
  else health.fault = after.fault ?? health.fault ?? unaccepted(acceptance);
  const tookMs = clock.monotonic() - began;
  health.restUntil = clock.monotonic() + Math.min(LONGEST_REST_MS, Math.max(REST_MS, 10 * tookMs));
  return acceptance;
}

async function report(world: World, local: LocalIndex, fault: IndexFault): Promise<void> {
  const known = local.health.fault;
  local.health.fault = fault;
  if (known?.kind === fault.kind && known.because === fault.because) return;
  const { region, logger } = world.options;
  logger.warn(
    { index: local.name, fault: fault.kind },
    `${region}'s copy of ${local.name}: ${fault.kind}: ${fault.because}`,
  );
  await local.store.quarantine(`${fault.kind}: ${fault.because}`);
}

/** The cure that fits; the copy as it is afterwards. */
async function mended(world: World, local: LocalIndex, before: Examined): Promise<Examined> {
  const { fault, findings } = before;
  if (fault === null) return before;
  try {
    const { done, say } = await doCure(world, local, fault, findings);
    local.health.cure = say;
    return done ? await examine(world, local) : before;
  } catch (error) {
    const say = `not cured: ${messageOf(error)}`;
    local.health.cure = say;
    world.options.logger.warn({ index: local.name, fault: fault.kind }, `${local.name}: ${say}`);
    return before;
  }
}

interface Cure {
  /** false: nothing could be done, and `say` says why. */
  readonly done: boolean;
  readonly say: string;
}

async function doCure(
  world: World,
  local: LocalIndex,
  fault: IndexFault,
  findings: readonly Finding[],
): Promise<Cure> {
  const { region } = world.options;
  const ownership = world.book.of(local.name);
  if (ownership === null) return not("nobody is known to own it");
  if (ownership.region === region) {
    return not(`${region} owns it: it is repaired from its next owner`);
  }
  if (fault.kind === "graph-fault") return did(await rebuild(world, local, fault.because));
  if (findings.length === 0) return not("its records are the owner's; embed the corpus again");
  const share = shareOf(findings, (await local.store.position()).count);
  const most = world.indexSpec(local.name)?.scrub.restoreAbove ?? 1;
  if (share > most && world.restore !== null) {
    await world.restore(local, fault.because);
    return did(`${describeFindings(findings)}; restored, for more than ${most * 100} % differed`);
  }
  const mended = await mend(world, local, ownership, findings);
  const sumsOnly = findings.every(({ kind }) => kind === "sum" || kind === "position");
  // All records are there and as they were: it is the kept sums themselves that were damaged.
  if (sumsOnly && mended.put + mended.drop === 0) {
    return did(await rebuild(world, local, describeFindings(findings)));
  }
  return did(describeMended(findings, mended));
}

function did(say: string): Cure {
  return { done: true, say };
}

function not(why: string): Cure {
  return { done: false, say: `not cured: ${why}` };
}

function shareOf(findings: readonly Finding[], count: number): number {
  return (alteredOf(findings).length + Math.abs(missingOf(findings))) / Math.max(1, count);
}

/** It may have been quarantined by a former run for a reason that has gone. */
async function lift(world: World, local: LocalIndex): Promise<void> {
  local.health.fault = null;
  await local.store.quarantine(null);
  const { region, logger } = world.options;
  const how = local.health.cure === null ? "" : ` (${local.health.cure})`;
  logger.info(
    { index: local.name },
    `${region}'s copy of ${local.name} has passed its acceptance and answers again${how}`,
  );
  tell(world, local);
}

function unaccepted({ pass, checks }: Acceptance): IndexFault | null {
  const failed = checks.find((check) => !check.pass);
  if (pass || failed === undefined) return null;
  const kind = FAULT_OF_CHECK[failed.name] ?? "corruption";
  return { kind, because: `${failed.name}: ${failed.evidence}` };
}

/** What a copy has that fails this check of the gate; every other one: corruption. */
const FAULT_OF_CHECK: Readonly<Record<string, IndexFaultKind>> = {
  counts: "loss",
  recall: "graph-fault",
  "golden-overlap": "graph-fault",
  settings: "graph-fault",
  golden: "embedding-skew",
  canaries: "authorization",
  engine: "authorization",
};
