import { maxAgeFor, PUBLIC_AUDIENCE, vouchedFor } from "../../model/freshness.ts";
import type { Watermarks } from "../../model/index-health.ts";
import { formatDuration } from "../../model/units.ts";
import type { Health, Verdict } from "../../model/verdict.ts";
import type { CopySeen, IndexesInput, JudgeInput } from "./input.ts";
import { patienceMs } from "./views.ts";

/** So many times the promised age, and it is no late pipeline any more but a stopped one. */
const STOPPED_AFTER = 2;

/**
 * Stale data: whether the pipeline behind an index is late, for all documents and for each tenant
 * whose own word or bound is another.
 *
 * It is judged at the owner of the index alone: a replica that is behind its owner lags, which is
 * readiness's business, and a replica's good conscience says nothing of the source. Where the owner
 * cannot be heard nothing is known (`unknown`): an outage has its own verdict and its own cure.
 *
 * Watermarks are source time, so that wall clocks cannot be left out. Each observer's own clock
 * gives an age, and the middle one counts: one clock of three that jumps changes nothing. It would do
 * little harm if it did, for nothing is moved because of this verdict, whatever its health.
 */
export function judgeStaleData(input: JudgeInput, outages: readonly Verdict[]): Verdict[] {
  const { indexes } = input;
  if (indexes === undefined) return [];
  return [...indexes.freshness.keys()].flatMap((index) => {
    const region = indexes.owners.get(index);
    if (region === undefined) return [];
    const owner = { region, index };
    const outage = outages.find((one) => one.region === region)?.health;
    if (outage === "failed" || outage === "unknown") return [unheard(owner, "its region is out")];
    const marks = ownersMarks(input, indexes, owner);
    return typeof marks === "string" ? [unheard(owner, marks)] : judgeIndex(indexes, owner, marks);
  });
}

type Owner = Pick<CopySeen, "region" | "index">;

/** The owner's watermarks as its newest report says them, or why they are not known. */
function ownersMarks(input: JudgeInput, { copies }: IndexesInput, owner: Owner) {
  const copy = copies.find(({ region, index }) => region === owner.region && index === owner.index);
  const newest = copy?.seen[0];
  if (newest === undefined || newest.agoMs > patienceMs(input.detection)) {
    return "its agent is silent";
  }
  const { watermarks, position, readable } = newest.state;
  if (readable === false) return "it cannot be read";
  if (watermarks === undefined) return "its agent does not say what the pipeline vouched for";
  return position.seq === 0 ? "nothing was written to it yet" : watermarks;
}

function judgeIndex(indexes: IndexesInput, owner: Owner, marks: Watermarks): Verdict[] {
  const freshness = indexes.freshness.get(owner.index);
  if (freshness === undefined) return [];
  const everybody = {
    mark: vouchedFor(marks, PUBLIC_AUDIENCE),
    maxAge: maxAgeFor(freshness, PUBLIC_AUDIENCE),
  };
  const apart = indexes.tenants
    .map((tenant) => ({
      tenant,
      mark: vouchedFor(marks, tenant),
      maxAge: maxAgeFor(freshness, tenant),
    }))
    .filter(({ mark, maxAge }) => mark !== everybody.mark || maxAge !== everybody.maxAge);
  return [everybody, ...apart].map((promise) => verdictOn(indexes, owner, promise));
}

interface Promised {
  readonly tenant?: string;
  /** Source time up to which everything was sent; 0: the pipeline never said so. */
  readonly mark: number;
  readonly maxAge: number;
}

function verdictOn(indexes: IndexesInput, owner: Owner, promised: Promised): Verdict {
  const { mark, maxAge } = promised;
  const ages = indexes.clocks.map(({ wallNow }) => wallNow - mark).toSorted((a, b) => a - b);
  // Of an even number the younger one: doubt is no accusation.
  const age = ages[Math.ceil(ages.length / 2) - 1] ?? 0;
  const health = mark === 0 ? "failed" : healthOf(age, maxAge);
  const late = { ...promised, age };
  const made = verdict(owner, health, becauseOf(owner, late, health), promised.tenant);
  if (health === "healthy") return made;
  const witnesses = indexes.clocks.map(({ observer, observerRegion, wallNow }) => ({
    observer,
    observerRegion,
    saw: mark === 0 ? "no watermark" : `${formatDuration(wallNow - mark)} by its clock`,
  }));
  return { ...made, witnesses, failingForMs: mark === 0 ? 0 : age - maxAge };
}

function healthOf(age: number, maxAge: number): Health {
  if (age <= maxAge) return "healthy";
  return age > STOPPED_AFTER * maxAge ? "failed" : "degraded";
}

function becauseOf(
  { region, index }: Owner,
  { tenant, mark, maxAge, age }: Promised & { readonly age: number },
  health: Health,
): string {
  const whose = tenant === undefined ? "" : ` for ${tenant}`;
  const allowed = `${formatDuration(maxAge)} ${health === "healthy" ? "are" : "were"} allowed`;
  if (mark === 0) {
    return `the pipeline of ${index} in ${region} has never sent a watermark${whose}; ${allowed}`;
  }
  const vouched = `vouched${whose} for ${index} up to ${formatDuration(Math.max(0, age))} ago`;
  return `the pipeline in ${region} has ${vouched}; ${allowed}`;
}

function unheard(owner: Owner, why: string): Verdict {
  return verdict(
    owner,
    "unknown",
    `nothing can be told of the pipeline of ${owner.index} in ${owner.region}: ${why}`,
  );
}

function verdict(
  { region, index }: Owner,
  health: Health,
  because: string,
  tenant?: string,
): Verdict {
  return {
    domain: "stale-data",
    region,
    index,
    ...(tenant === undefined ? {} : { tenant }),
    health,
    because,
    witnesses: [],
    failingForMs: 0,
  };
}
