import { type Decision, EVERY_WORKFLOW } from "../../model/decision.ts";
import { lastGood, type ReleaseIntent, releaseOf } from "../../model/release-intent.ts";
import type { ReleaseRequest } from "../../model/request.ts";
import { list, refusedBecause } from "./words.ts";

/** All that a decision about the release may depend on. */
export interface ReleaseDecisionInput {
  readonly intent: ReleaseIntent;
  /** Every region of the estate, in the spec's order. */
  readonly regions: readonly string[];
  /** Releases that the estate knows; `number` null for an unsigned one. */
  readonly known: readonly { readonly digest: string; readonly number: number | null }[];
  /** Regions whose outage is certain. */
  readonly failed: readonly string[];
  /** Regions that serve some workflow now. */
  readonly serving: readonly string[];
  /** Workflows that a plan moves now. */
  readonly moving: readonly string[];
  readonly request: ReleaseRequest | null;
  /** A release that is certainly bad; null while none is. Unknown and inconclusive are none. */
  readonly bad: { readonly digest: string; readonly because: string } | null;
  /** Why the release that is being activated is neither good nor bad yet; null when it is. */
  readonly unproven?: string | null;
}

/**
 * What to do about the release: `activate`, `rollback`, or a hold with its reason.
 *
 * Safety argument, for every input whatever:
 * - Only a release that the estate knows is ever activated, and only a person activates one.
 * - Without a person, only a release that is certainly bad and runs somewhere is rolled back.
 * - Nothing is activated while a region's outage is certain or a workflow moves: a failover has
 *   precedence, and nobody looks for two causes of one fault.
 * - A rollback may overtake an activation, and nothing else overtakes anything.
 * - A rollback is whole: it names every region.
 */
export function decideRelease(input: ReleaseDecisionInput): Decision {
  const { intent, request } = input;
  const { plan, kind: underWay } = intent.heldBy ?? { plan: "", kind: null };
  if (underWay === "rollback") return hold(`plan ${plan} is under way`);
  if (request?.kind === "rollback") return askedRollback(input, request);
  const bad = input.bad !== null && runsSomewhere(input, input.bad.digest) ? input.bad : null;
  if (bad !== null) return badRollback(input, bad);
  if (underWay === "activate") return hold(underWayBecause(input, plan));
  if (request?.kind === "continue") return nothingToContinue(request);
  return request === null ? hold(atRest(input)) : activation(input, request);
}

/** Whether a request for it may be left to wait for something that ends by itself. */
export function releaseRequestWaits(input: ReleaseDecisionInput): boolean {
  const { intent, moving, request } = input;
  // The bake that waits for this word takes it up itself.
  if (request?.kind === "continue") return intent.heldBy?.kind === "activate";
  return request?.kind === "activate" && moving.length > 0;
}

function underWayBecause({ unproven = null }: ReleaseDecisionInput, plan: string): string {
  if (unproven === null) return `plan ${plan} is under way`;
  return `plan ${plan} is under way, and not proven yet: ${unproven}; \`tideover release continue\` lets it go on all the same, \`tideover release rollback\` takes it back`;
}

function nothingToContinue({ by }: ReleaseRequest): Decision {
  return refusal(`continuing asked by ${by}`, "no activation is under way");
}

/**
 * Where a rollback leads: to the last good release, or from it to the one before; null: nowhere. Of
 * an activation that is under way it is the end, however far that has come: to the last good one.
 */
export function rollbackTarget(intent: ReleaseIntent, regions: readonly string[]): string | null {
  const [newest = null, before = null] = intent.good;
  if (intent.heldBy?.kind === "activate") return newest;
  const rests = regions.every((region) => releaseOf(intent, region) === newest);
  return rests ? before : newest;
}

function askedRollback(input: ReleaseDecisionInput, { by }: ReleaseRequest): Decision {
  const asked = `rollback asked by ${by}`;
  const target = rollbackTarget(input.intent, input.regions);
  if (target === null) return refusal(asked, "no good release is known before the present one");
  return rollback(input, target, asked, null);
}

function badRollback(
  input: ReleaseDecisionInput,
  bad: { readonly digest: string; readonly because: string },
): Decision {
  const because = `release ${short(bad.digest)} is bad: ${bad.because}`;
  const target = input.intent.good.find((digest) => digest !== bad.digest);
  if (target === undefined) return hold(`${because}; no good release is known to go back to`);
  return rollback(input, target, because, "bad-release");
}

function rollback(
  input: ReleaseDecisionInput,
  release: string,
  because: string,
  domain: "bad-release" | null,
): Decision {
  const missing = unknownRelease(input, release);
  if (missing !== null) return refusal(because, missing);
  const why = `${because}; back to ${short(release)}, the last good one`;
  return decision("rollback", [...input.regions], why, { release, domain });
}

function activation(input: ReleaseDecisionInput, request: ReleaseRequest): Decision {
  const asked = `activation of ${short(request.release ?? "nothing")} asked by ${request.by}`;
  const { release } = request;
  if (release === null) return refusal(asked, "it names no release");
  const objection = objectionTo(input, release);
  if (objection !== null) return refusal(asked, objection);
  const order = standbysFirst(input);
  return decision("activate", order, `${asked}; ${list(order)}, in this order`, { release });
}

function objectionTo(input: ReleaseDecisionInput, release: string): string | null {
  const { failed, moving } = input;
  if (failed.length > 0)
    return `${list(failed)} has failed: recover first, then change the release`;
  if (moving.length > 0) return `${list(moving)} is being moved`;
  return unknownRelease(input, release) ?? downgrade(input, release) ?? already(input, release);
}

function unknownRelease({ known }: ReleaseDecisionInput, release: string): string | null {
  if (known.some(({ digest }) => digest === release)) return null;
  return `the estate does not know release ${short(release)}`;
}

/** An old release with a good signature is how a mended fault comes back. */
function downgrade({ known, intent }: ReleaseDecisionInput, release: string): string | null {
  const numberOf = (digest: string) => known.find((one) => one.digest === digest)?.number ?? null;
  const [wanted, present] = [numberOf(release), numberOf(lastGood(intent))];
  if (wanted === null || present === null || wanted >= present) return null;
  return `its number ${wanted} is below ${present}, that of the last good release: roll back instead`;
}

function already({ intent, regions }: ReleaseDecisionInput, release: string): string | null {
  const all = regions.every((region) => releaseOf(intent, region) === release);
  return all && lastGood(intent) === release ? "every region runs it already" : null;
}

/** Who serves is changed last: by then the release has stood the bake everywhere else. */
function standbysFirst({ regions, serving }: ReleaseDecisionInput): string[] {
  const serves = (region: string): boolean => serving.includes(region);
  return [...regions.filter((region) => !serves(region)), ...regions.filter(serves)];
}

function runsSomewhere({ intent, regions }: ReleaseDecisionInput, digest: string): boolean {
  return regions.some((region) => releaseOf(intent, region) === digest);
}

function atRest({ intent, regions }: ReleaseDecisionInput): string {
  const digests = [...new Set(regions.map((region) => releaseOf(intent, region)))];
  if (digests.length === 1) return `every region runs ${short(digests[0] ?? "")}`;
  return regions.map((region) => `${region} runs ${short(releaseOf(intent, region))}`).join(", ");
}

function refusal(asked: string, why: string): Decision {
  const because = refusedBecause(asked, why);
  return { ...hold(because), refused: [{ alternative: asked, why }] };
}

function hold(because: string): Decision {
  return decision("hold", [], because, {});
}

function decision(
  kind: Decision["kind"],
  to: string[],
  because: string,
  more: { readonly release?: string; readonly domain?: Decision["domain"] },
): Decision {
  const { release, domain = null } = more;
  return {
    kind,
    workflow: EVERY_WORKFLOW,
    domain,
    from: [],
    to,
    ...(release === undefined ? {} : { release }),
    because,
    refused: [],
  };
}

/** As people say it: `sha256:1a2b3c4d5e6f`. */
function short(digest: string): string {
  return digest.slice(0, 19);
}
