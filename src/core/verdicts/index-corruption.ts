import { formatDuration } from "../../model/units.ts";
import type { Health, Verdict } from "../../model/verdict.ts";
import { type Damage, damageIn } from "./copy-damage.ts";
import { type GatewayWord, gatewayWord } from "./gateway-word.ts";
import type { CopySeen, JudgeInput } from "./input.ts";
import { LEAST_FAILURES } from "./outage-case.ts";
import { patienceMs } from "./views.ts";

/**
 * Index corruption: whether a region's copy of an index may be believed, for each copy that its
 * agent reports.
 *
 * Safety argument. `failed` moves the workflows that cannot do without the index, so it needs one
 * of these, from a region that is not out:
 *
 * 1. The agent has measured a fault or quarantined the copy, and the region owns the index. That is
 *    no observation over a network but a finding, and it stays: an owner has nobody to be repaired
 *    from before it has lost the ownership.
 * 2. The same in a replica, or a copy that cannot be read or is being restored, in an unbroken run
 *    of at least 3 reports for `detection.confirm`. A replica repairs itself, and a database that
 *    restarts comes back; both are mostly sooner done than a move.
 * 3. The region's gateway was refused by the copy `confirm` ago, and no look of the agent at the
 *    whole copy that found nothing has ended since its newest refusal.
 *
 * Whether there is a better copy to go to is no question of this file: a copy is bad whatever the
 * others are. If all are, the decision is to stay (core/decisions/damage.ts).
 *
 * No wall clock takes part: reports tell ages, on their observers' monotonic clocks.
 */
export function judgeIndexCorruption(input: JudgeInput, outages: readonly Verdict[]): Verdict[] {
  const { copies = [] } = input.indexes ?? {};
  return copies.map((copy) => {
    const outage = outages.find(({ region }) => region === copy.region)?.health;
    if (outage === "failed" || outage === "unknown") return unheard(copy, "its region is out");
    const [newest] = copy.seen;
    if (newest === undefined || newest.agoMs > patienceMs(input.detection)) {
      return unheard(copy, "its agent is silent");
    }
    return verdictOn(input, copy, newest);
  });
}

/** The decision table of one copy; the first line that fits. */
function verdictOn(input: JudgeInput, copy: CopySeen, newest: CopySeen["seen"][number]): Verdict {
  const { confirm } = input.detection;
  const damage = damageIn(newest.state);
  if (damage !== null) {
    const owns = input.indexes?.owners.get(copy.index) === copy.region;
    const run = runOf(copy);
    const isConfirmed = run.reports >= LEAST_FAILURES && run.forMs >= confirm;
    const health = (damage.proven && owns) || isConfirmed ? "failed" : "degraded";
    return verdict(copy, health, damageBecause(copy, damage, { owns, forMs: run.forMs }), {
      saw: damage.because,
      forMs: run.forMs,
    });
  }
  const word = gatewayWord(input, copy, newest);
  if (word === null)
    return verdict(copy, "healthy", `${nameOf(copy)} is sound as far as is known`, NOTHING);
  const health = word.forMs >= confirm ? "failed" : "degraded";
  return byGateway(copy, health, word);
}

/** The unbroken run of reports of damage that ends now. */
function runOf({ seen }: CopySeen): { readonly reports: number; readonly forMs: number } {
  const end = seen.findIndex(({ state }) => damageIn(state) === null);
  const run = end === -1 ? seen : seen.slice(0, end);
  const [newest, oldest] = [run[0]?.agoMs ?? 0, run.at(-1)?.agoMs ?? 0];
  return { reports: run.length, forMs: Math.max(0, oldest - newest) };
}

function damageBecause(
  copy: CopySeen,
  damage: Damage,
  { owns, forMs }: { readonly owns: boolean; readonly forMs: number },
): string {
  const since = damage.proven && owns ? "" : `, for ${formatDuration(forMs)}`;
  const alone = owns ? `; ${copy.region} owns it, and has nobody to repair it from` : "";
  return `${nameOf(copy)} ${damage.because}${since}${alone}`;
}

function byGateway(copy: CopySeen, health: Health, word: GatewayWord): Verdict {
  const because = `the gateway of ${copy.region} is refused by ${copy.index}, for ${formatDuration(word.forMs)}: ${word.because}`;
  const made = verdict(copy, health, because, { saw: word.because, forMs: word.forMs });
  return { ...made, witnesses: word.witnesses };
}

function unheard(copy: CopySeen, why: string): Verdict {
  const because = `nothing can be told of ${nameOf(copy)}: ${why}`;
  return verdict(copy, "unknown", because, NOTHING);
}

function verdict(
  { region, observer, index }: CopySeen,
  health: Health,
  because: string,
  { saw, forMs }: { readonly saw: string; readonly forMs: number },
): Verdict {
  const ill = health === "failed" || health === "degraded";
  return {
    domain: "index-corruption",
    region,
    index,
    health,
    because,
    witnesses: ill ? [{ observer, observerRegion: region, saw }] : [],
    failingForMs: ill ? forMs : 0,
  };
}

const NOTHING = { saw: "", forMs: 0 };

function nameOf({ region, index }: CopySeen): string {
  return `${region}'s copy of ${index}`;
}
