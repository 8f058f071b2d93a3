import { messageOf } from "../../lib/errors.ts";
import type { WorkflowName } from "../../model/ids.ts";
import { KEYS } from "../../model/keys.ts";
import type { CheckResult, Readiness } from "../../model/readiness.ts";
import { formatDuration } from "../../model/units.ts";
import type { Clock } from "../../ports/clock.ts";
import { askGateway } from "../ask-gateway.ts";
import { canaryOf } from "../canary.ts";
import { Mutex } from "../mutex.ts";
import type { Part } from "../ticker.ts";
import type { World } from "../world.ts";
import { auditCheck } from "./audit.ts";
import type { AskedCanary, CheckContext, Judgement, ReadinessCheck } from "./check.ts";
import { goldenCheck } from "./golden.ts";
import { indexFreshCheck } from "./index-fresh.ts";
import { indexHealthCheck } from "./index-health.ts";
import { modelCheck } from "./model.ts";
import { rateLimitCheck } from "./rate-limit.ts";
import { releaseCheck } from "./release.ts";
import { servingContractCheck } from "./serving-contract.ts";
import { tenantIsolationCheck } from "./tenant-isolation.ts";

/** In the order in which a person wants to read them. A new check is a file and a line here. */
const CHECKS: readonly ReadinessCheck[] = [
  modelCheck,
  servingContractCheck,
  releaseCheck,
  indexFreshCheck,
  indexHealthCheck,
  tenantIsolationCheck,
  auditCheck,
  rateLimitCheck,
  goldenCheck,
];

const DEFAULT_EVERY_MS = 5_000;
const UNASKED_TIMEOUT_MS = 10_000;
const LONGEST_ASK_MS = 5_000;

/**
 * Runs every check of a workflow now. Each is given up as failed at `timeoutMs`, so that the caller
 * learns which of them hangs. Throws NOT_FOUND for an unknown workflow.
 */
export async function proveReadiness(
  world: World,
  workflow: WorkflowName,
  options: { readonly exactIndex: boolean; readonly timeoutMs: number },
): Promise<Readiness> {
  const context = contextOf(world, workflow, { ...options, thorough: true });
  const applicable = CHECKS.filter((check) => check.applies(context));
  const results = await Promise.all(
    applicable.map((check) => runCheck(context, check, options.timeoutMs)),
  );
  return conclude(world, workflow, results);
}

/** One part for each workflow that this region serves or stands by for. */
export function readinessParts(world: World): Part[] {
  const { spec, region, readinessEvery = DEFAULT_EVERY_MS } = world.options;
  return Object.entries(spec.workflows)
    .filter(([, { primary, standbys }]) => [primary, ...standbys].includes(region))
    .map(([workflow, { retrieval }]) => {
      const work = createUnasked(world, workflow);
      // A copy that was quarantined a moment ago must not pass for ready until the next turn.
      world.onStanding.push(async (index) => (index === retrieval?.index ? work() : undefined));
      return { name: `readiness of ${workflow}`, everyMs: readinessEvery, work };
    });
}

interface Remembered {
  readonly result: CheckResult;
  readonly at: number;
}

/** The run that nobody asked for: what passed a moment ago and costs a canary is not asked again. */
function createUnasked(world: World, workflow: WorkflowName): () => Promise<void> {
  const memory = new Map<string, Remembered>();
  const { clock, store, region } = world.options;
  const run = async (): Promise<void> => {
    const options = { exactIndex: false, thorough: false, timeoutMs: UNASKED_TIMEOUT_MS };
    const context = contextOf(world, workflow, options);
    const applicable = CHECKS.filter((check) => check.applies(context));
    const results = await Promise.all(
      applicable.map(async (check) => {
        const known = recall(memory.get(check.name), check.restMs, clock);
        if (known !== null) return known;
        const result = await runCheck(context, check, options.timeoutMs);
        memory.set(check.name, { result, at: clock.monotonic() });
        return result;
      }),
    );
    const readiness = conclude(world, workflow, results);
    const put = KEYS.readiness(region, workflow);
    await store.commit({ compare: [], operations: [{ put, value: readiness }] });
  };
  // One after the other: an older run that ends later would say what is no longer so.
  const turns = new Mutex();
  return () => turns.run(run);
}

/** A failure is never remembered: its end must be seen at once. */
function recall(known: Remembered | undefined, restMs: number, clock: Clock): CheckResult | null {
  if (known === undefined || !known.result.pass) return null;
  const agoMs = clock.monotonic() - known.at;
  if (agoMs >= restMs) return null;
  return {
    ...known.result,
    evidence: `${known.result.evidence} (asked ${formatDuration(agoMs)} ago)`,
  };
}

function contextOf(
  world: World,
  workflow: WorkflowName,
  options: { readonly exactIndex: boolean; readonly thorough: boolean; readonly timeoutMs: number },
): CheckContext {
  const { exactIndex, thorough, timeoutMs } = options;
  const askMs = Math.min(LONGEST_ASK_MS, timeoutMs);
  const spec = world.workflow(workflow);
  const golden = world.options.golden.get(workflow) ?? null;
  let asked: Promise<AskedCanary | null> | null = null;
  const canary = () => {
    asked ??= askCanary(world, workflow, askMs);
    return asked;
  };
  const turn = world.nextTurn();
  return { world, workflow, spec, golden, exactIndex, thorough, turn, askMs, canary };
}

async function askCanary(
  world: World,
  workflow: WorkflowName,
  timeoutMs: number,
): Promise<AskedCanary | null> {
  const { golden, canaryKeys } = world.options;
  const question = canaryOf(golden.get(workflow), canaryKeys);
  if (question === null) return null;
  const ask = { workflow, tenant: question.tenant, question: question.question, standby: true };
  return { question, answer: await askGateway(world, { ...ask, timeoutMs }) };
}

async function runCheck(
  context: CheckContext,
  check: ReadinessCheck,
  timeoutMs: number,
): Promise<CheckResult> {
  const { clock } = context.world.options;
  const began = clock.monotonic();
  const judgement = await bounded(context.world, timeoutMs, () => check.check(context));
  return {
    name: check.name,
    pass: judgement.pass,
    evidence: judgement.evidence,
    required: judgement.required ?? check.required(context.spec),
    tookMs: clock.monotonic() - began,
  };
}

/** Not answering in time, and throwing, are failures of the check and not of the run. */
async function bounded(
  world: World,
  timeoutMs: number,
  work: () => Promise<Judgement>,
): Promise<Judgement> {
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, world.stop.signal]);
  const tooLate = world.options.clock.sleep(timeoutMs, signal).then(() => ({
    pass: false,
    evidence: `there is no result after ${formatDuration(timeoutMs)}`,
  }));
  const result = work().catch((error: unknown) => ({ pass: false, evidence: messageOf(error) }));
  return Promise.race([result, tooLate]).finally(() => done.abort());
}

function conclude(world: World, workflow: WorkflowName, checks: readonly CheckResult[]): Readiness {
  const { region, clock } = world.options;
  return { region, workflow, ...verdictOf(checks), at: clock.now(), checks: [...checks] };
}

/** Ready when all that is required passes; `because` names what is not, or counts. */
export function verdictOf(checks: readonly CheckResult[]): { ready: boolean; because: string } {
  const failed = checks.filter(({ pass }) => !pass);
  const missing = failed.find(({ required }) => required);
  if (missing !== undefined)
    return { ready: false, because: `${missing.name}: ${missing.evidence}` };
  const passed = `${checks.length - failed.length} of ${checks.length} checks passed`;
  const [optional] = failed;
  if (optional === undefined) return { ready: true, because: passed };
  return {
    ready: true,
    because: `${passed}; not required: ${optional.name}: ${optional.evidence}`,
  };
}
