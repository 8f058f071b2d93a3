import { type Decision, indexSubject } from "../../model/decision.ts";
import type { FailureDomain } from "../../model/domain.ts";
import type { IndexRequest } from "../../model/request.ts";
import { formatDuration } from "../../model/units.ts";
import { needsIndex } from "./damage.ts";
import {
  corruptionOf,
  type IndexDecisionInput,
  isAlive,
  outageOf,
  stateOf,
} from "./index-input.ts";
import { judgeTakers, type Taker } from "./index-takers.ts";
import { list, type Refusal, refusedBecause } from "./words.ts";

/**
 * Who shall own an index: a `move-index`, or a hold with its reason.
 *
 * An owner whose copy is bad has nobody to be repaired from, and one whose region is out takes no
 * writes. Mostly a workflow that fails over takes the ownership along. Where none does (all that
 * search it can do without, or serve elsewhere), the ownership is moved alone: no traffic moves,
 * and the former owner is repaired as a replica.
 *
 * Safety argument, for every input whatever:
 * - Without a person only the verdict `failed` moves anything, and only where no workflow would
 *   take the index along; a restore that is under way at the owner is waited for.
 * - The region that takes over is alive, holds a whole copy that nothing speaks against, and is one
 *   that a workflow of this index may be served from.
 * - What the owner alone has is fetched first (`drained`). Where the owner cannot be asked, the
 *   copy must miss nothing that the owner was known to have, or lag within the objective; else a
 *   person must accept the loss.
 * - One move at a time: while a plan holds the index, or a workflow that searches it, nothing else
 *   is decided.
 */
export function decideIndex(input: IndexDecisionInput): Decision {
  const moving = movingWord(input);
  if (moving !== null) return hold(input, moving);
  return input.request === null ? answerFault(input) : answerRequest(input, input.request);
}

/** Whether a person's request must wait for something that ends by itself. */
export function indexRequestWaits(input: IndexDecisionInput): boolean {
  return movingWord(input) !== null;
}

function movingWord({ heldBy, ownership, workflows }: IndexDecisionInput): string | null {
  if (heldBy !== null) return `plan ${heldBy} is under way`;
  const mover = workflows.find(({ intent }) => intent.movingBy !== null);
  if (mover === undefined) return null;
  return `${mover.name}, which searches ${ownership.index}, is being moved by plan ${mover.intent.movingBy}`;
}

function answerFault(input: IndexDecisionInput): Decision {
  const fault = faultOf(input);
  if (fault === null) return hold(input, atRest(input));
  const { reason, domain } = fault;
  const veto = vetoOf(input, domain);
  if (veto !== null) return hold(input, `${reason}: ${veto}`, { domain });
  const { open, refused } = judgeTakers(input, { drained: canDrain(input), acceptLoss: false });
  const [taker] = open;
  if (taker === undefined) {
    return hold(input, `${reason}; nobody can take it over: ${whyNobody(input, refused)}`, {
      domain,
      refused,
    });
  }
  const resting = restVeto(input);
  if (resting !== null) return hold(input, `${reason}: ${resting}`, { domain, refused });
  return move(input, taker, { reason, domain, refused });
}

interface Fault {
  readonly reason: string;
  readonly domain: FailureDomain;
}

/** Why the owner cannot go on owning it; null when it can. Only what is certain counts. */
function faultOf(input: IndexDecisionInput): Fault | null {
  const { index, region } = input.ownership;
  const outage = outageOf(input, region);
  if (outage?.health === "failed") {
    const reason = `region outage of ${region}, which owns ${index} (${outage.because})`;
    return { reason, domain: "region-outage" };
  }
  const corruption = corruptionOf(input, region);
  if (corruption?.health !== "failed") return null;
  return { reason: `index corruption: ${corruption.because}`, domain: "index-corruption" };
}

/** Whose move it is instead, or what must end first; null when the index may be moved alone. */
function vetoOf(input: IndexDecisionInput, domain: FailureDomain): string | null {
  const { ownership, workflows } = input;
  const here = workflows.filter(({ intent }) => intent.serving.includes(ownership.region));
  const taking = here.filter(({ spec }) => domain === "region-outage" || needsIndex(spec));
  if (taking.length > 0) {
    return `${list(taking.map(({ name }) => name))} ${taking.length === 1 ? "takes" : "take"} ${ownership.index} along, or stays with it until somebody moves it`;
  }
  const restoring = stateOf(input, ownership.region)?.standing?.kind === "restoring";
  if (restoring && domain === "index-corruption") return "it is being restored";
  const [first] = workflows;
  if (first === undefined || workflows.some(({ spec }) => spec.declare.by === "automatic")) {
    return null;
  }
  return `wait for ${first.spec.declare.who}: run \`tideover index move --index ${ownership.index}\``;
}

/** As of workflows: two unplanned moves in a row are more likely to be a flapping observer. */
function restVeto({ sinceLastMoveMs, cooldownMs }: IndexDecisionInput): string | null {
  if (sinceLastMoveMs === null || sinceLastMoveMs >= cooldownMs) return null;
  return `its last unplanned move ended ${formatDuration(sinceLastMoveMs)} ago, and the next may start in ${formatDuration(cooldownMs - sinceLastMoveMs)}`;
}

/**
 * What a person asked for. Cool-downs and workflows are his business; what nobody can order is a
 * move to a copy that may not be believed, or one that silently loses what was written.
 */
function answerRequest(input: IndexDecisionInput, request: IndexRequest): Decision {
  const { index, region } = input.ownership;
  const asked = `move of ${index} asked by ${request.by}`;
  const refuse = (why: string, refused: readonly Refusal[] = []) =>
    hold(input, refusedBecause(asked, why), {
      refused: [...refused, { alternative: asked, why }],
    });
  if (request.to === region) return refuse(`${region} owns ${index} already`);
  const drained = canDrain(input);
  const { open, refused } = judgeTakers(input, { drained, acceptLoss: request.acceptLoss });
  const taker = open.find(({ region: one }) => request.to === null || one === request.to);
  if (taker === undefined) {
    const named = refused.filter(({ alternative }) => alternative === `move to ${request.to}`);
    return refuse(whyNobody(input, named.length > 0 ? named : refused), refused);
  }
  return move(input, taker, { reason: asked, domain: null, refused });
}

function move(
  input: IndexDecisionInput,
  { region: to, loss }: Taker,
  about: {
    readonly reason: string;
    readonly domain: FailureDomain | null;
    readonly refused: readonly Refusal[];
  },
): Decision {
  const { index, region: from } = input.ownership;
  const drained = canDrain(input);
  const lost = loss ?? "nothing is lost";
  return {
    kind: "move-index",
    workflow: indexSubject(index),
    domain: about.domain,
    from: [from],
    to: [to],
    index: { name: index, drained, loss },
    because: `${about.reason}; ${to} takes ${index} over from ${from}, ${lost}, and no traffic moves`,
    refused: [...about.refused],
  };
}

/**
 * Whether the owner can be asked for its last change. Its log is not what is damaged, mostly; if a
 * plan has failed at that, the next one does without.
 */
function canDrain(input: IndexDecisionInput): boolean {
  const { region } = input.ownership;
  const health = outageOf(input, region)?.health;
  const heard = corruptionOf(input, region)?.health !== "unknown";
  const readable = stateOf(input, region)?.readable !== false;
  return isAlive(health) && heard && readable && !input.drainFailed;
}

function atRest(input: IndexDecisionInput): string {
  const { index, region } = input.ownership;
  const word = corruptionOf(input, region);
  return word === undefined || word.health === "healthy"
    ? `${region} owns ${index}, and nothing speaks against its copy`
    : `${region} owns ${index}: ${word.because}`;
}

function whyNobody({ ownership }: IndexDecisionInput, refused: readonly Refusal[]): string {
  return refused.length > 0
    ? refused.map(({ why }) => why).join("; ")
    : `no other region that may serve from it has a copy of ${ownership.index}`;
}

function hold(
  { ownership }: IndexDecisionInput,
  because: string,
  more: { readonly domain?: FailureDomain; readonly refused?: readonly Refusal[] } = {},
): Decision {
  return {
    kind: "hold",
    workflow: indexSubject(ownership.index),
    domain: more.domain ?? null,
    from: [],
    to: [],
    because,
    refused: [...(more.refused ?? [])],
  };
}
