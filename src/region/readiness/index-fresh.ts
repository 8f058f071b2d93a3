import { z } from "zod";
import { lagMs } from "../../core/reconcile/freshness.ts";
import type { Ownership } from "../../model/intent.ts";
import { KEYS } from "../../model/keys.ts";
import type { Position } from "../../model/position.ts";
import { type RegionReport, regionReportSchema } from "../../model/signal.ts";
import { formatDuration } from "../../model/units.ts";
import { askOwner } from "../ask-owner.ts";
import type { LocalIndex } from "../local-index.ts";
import { type CheckContext, type Judgement, needsIndex, type ReadinessCheck } from "./check.ts";

/** The region's copy holds what the owner's does, within what the workflow may lose. */
export const indexFreshCheck: ReadinessCheck = {
  name: "index-fresh",
  restMs: 0,
  applies: ({ spec }) => spec.retrieval !== undefined,
  required: needsIndex,
  async check(context) {
    const { world, spec, exactIndex } = context;
    const name = spec.retrieval?.index ?? "";
    const local = world.index(name);
    // Our own side first: asked later, it could not be told from one that keeps up.
    const own = await local.store.position();
    const maxLagMs = Math.min(world.indexSpec(name)?.maxLag ?? 0, spec.rpo);
    return judgeIndex(
      { maxLagMs, exact: exactIndex },
      { own, owner: await ownerOf(context, local) },
    );
  },
};

export interface ExpectedIndex {
  /** The smaller of the index's maxLag and the workflow's rpo, in ms. */
  readonly maxLagMs: number;
  readonly exact: boolean;
}

export interface ObservedIndex {
  readonly own: Position;
  /** `self`: this region owns it. null: nobody knows where the owner stands. */
  readonly owner: "self" | KnownOwner | null;
}

export interface KnownOwner {
  readonly region: string;
  readonly position: Position;
  /** Time since it said so; 0 when it has just been asked, null when only a report tells. */
  readonly agoMs: number | null;
  /** How long before that both were level, in ms; null when they never were. */
  readonly levelForMs?: number | null;
}

export function judgeIndex(expected: ExpectedIndex, { own, owner }: ObservedIndex): Judgement {
  const held = `${own.count} records at ${own.seq}`;
  if (own.count === 0) return { pass: false, evidence: "the index is empty" };
  if (owner === "self") return { pass: true, evidence: `${held}, and this region is the owner` };
  if (owner === null) {
    return { pass: false, evidence: `${held}; where the owner stands is not known` };
  }
  return expected.exact
    ? judgeLevel(own, owner, held)
    : judgeLag(expected.maxLagMs, own, owner, held);
}

/** Only a live word counts: what a planned move leaves behind must not rest on an old one. */
function judgeLevel(own: Position, owner: KnownOwner, held: string): Judgement {
  const { position, region, agoMs } = owner;
  if (agoMs !== 0)
    return {
      pass: false,
      evidence: `${held}; ${region} does not answer, so that it is level cannot be told`,
    };
  const level =
    own.seq === position.seq && own.digest === position.digest && own.count === position.count;
  if (level) {
    return {
      pass: true,
      evidence: `${held}, level with ${region}: digest ${own.digest.slice(0, 8)}`,
    };
  }
  const theirs = `${position.count} records at ${position.seq}, digest ${position.digest.slice(0, 8)}`;
  return {
    pass: false,
    evidence: `${held}, digest ${own.digest.slice(0, 8)}; ${region} has ${theirs}`,
  };
}

function judgeLag(maxLagMs: number, own: Position, owner: KnownOwner, held: string): Judgement {
  const lag = lagMs(own, owner.position, owner.levelForMs);
  const evidence = `${held}, ${lag === 0 ? "level with" : `${formatDuration(lag)} behind`} ${owner.region}${ageOf(owner)}; ${formatDuration(maxLagMs)} is allowed`;
  return { pass: lag <= maxLagMs, evidence };
}

function ageOf({ agoMs }: KnownOwner): string {
  if (agoMs === 0) return "";
  if (agoMs === null) return " as its last report says (it does not answer)";
  return ` as it stood ${formatDuration(agoMs)} ago (it does not answer)`;
}

async function ownerOf(context: CheckContext, local: LocalIndex): Promise<ObservedIndex["owner"]> {
  const { world, askMs } = context;
  const ownership = world.book.of(local.name);
  if (ownership === null) return null;
  const { region, epoch } = ownership;
  const { clock } = world.options;
  if (region === world.options.region) return "self";
  try {
    const { position } = await askOwner(world, ownership, 0, askMs);
    const now = clock.monotonic();
    local.sawOwner(position, now);
    return { region, position, agoMs: 0, levelForMs: local.levelForMs(now, epoch) };
  } catch {
    // The usual case of a failover: the owner is what failed.
    return lastKnown(context, local, ownership);
  }
}

/** What we heard ourselves, or the owner's last report when that says more. */
async function lastKnown(
  { world }: CheckContext,
  local: LocalIndex,
  { region, epoch }: Ownership,
): Promise<KnownOwner | null> {
  const { store, clock } = world.options;
  const heard = local.owner;
  const entry = await store.get(KEYS.report(`agent:${region}`)).catch(() => null);
  const reported = reportedPosition(entry?.value, local.name);
  if (reported !== null && reported.seq > (heard?.position.seq ?? -1)) {
    const levelForMs = local.levelForMs(clock.monotonic(), epoch);
    return { region, position: reported, agoMs: null, levelForMs };
  }
  if (heard === null) return null;
  const agoMs = Math.max(1, clock.monotonic() - heard.at);
  const levelForMs = local.levelForMs(heard.at, epoch);
  return { region, position: heard.position, agoMs, levelForMs };
}

const reportSchema: z.ZodType<Pick<RegionReport, "indexes">> = z.object({
  indexes: regionReportSchema.shape.indexes,
});

function reportedPosition(value: unknown, index: string): Position | null {
  const indexes = reportSchema.safeParse(value).data?.indexes ?? [];
  const state = indexes.find((one) => one.index === index && one.error === null);
  return state?.position ?? null;
}
