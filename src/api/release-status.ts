import { diffReleases } from "../core/release/diff.ts";
import { readParts } from "../core/release/read.ts";
import { decisionSchema, EVERY_WORKFLOW } from "../model/decision.ts";
import { KEYS } from "../model/keys.ts";
import {
  type KnownRelease,
  knownReleaseSchema,
  lastGood,
  type ReleaseIntent,
  releaseIntentSchema,
  releaseOf,
} from "../model/release-intent.ts";
import { type RegionReport, regionReportSchema } from "../model/signal.ts";
import type { Spec } from "../model/spec.ts";
import type { Store } from "../ports/store.ts";
import { readAll } from "./status.ts";

/** A region's report older than this says what was, not what is. */
const REPORT_FRESH_MS = 5_000;

export interface RegionRelease {
  readonly region: string;
  /** Digest that it shall serve, and since when (wall clock, ms). */
  readonly intended: string;
  readonly since: number | null;
  /** What its gateway says; null while nobody knows. */
  readonly serves: {
    readonly digest: string | null;
    /** For how long, in ms. */
    readonly digestForMs: number | null;
    /** Number of the snapshot that it has acknowledged, and for how long it has served that. */
    readonly number: number;
    readonly numberForMs: number;
  } | null;
  readonly lastError: string | null;
  /** How it answered the golden questions of each workflow with the release that it shall serve. */
  readonly golden: readonly {
    readonly workflow: string;
    readonly right: number;
    readonly wrong: number;
  }[];
  /** Files that differ from the intended release; empty when it serves that, or is not known. */
  readonly differs: readonly string[];
  /** In one sentence: right, or what is wrong. */
  readonly because: string;
}

export interface ReleaseStatus {
  readonly estate: string;
  /** null: an estate without a release. */
  readonly epoch: number | null;
  readonly lastGood: string | null;
  /** Where a rollback may lead, the last good one first. */
  readonly good: readonly string[];
  readonly changing: { readonly plan: string; readonly kind: string } | null;
  /** While it changes: what is thought of the new one, and how to go on; null at rest. */
  readonly because: string | null;
  /** Number of the newest snapshot. */
  readonly snapshot: number | null;
  readonly regions: readonly RegionRelease[];
  readonly known: readonly {
    readonly digest: string;
    readonly name: string;
    readonly version: string;
    readonly number: number | null;
    /** ISO time until which it is signed; null: for ever, or this estate does not ask. */
    readonly expires: string | null;
    readonly since: number;
    readonly by: string;
  }[];
}

/** Which release each region shall serve, which it serves, and what differs. From the store alone. */
export async function readReleaseStatus(
  store: Store,
  spec: Spec,
  reportAges: (observer: string, seq: number) => number,
): Promise<ReleaseStatus> {
  const stored = releaseIntentSchema.safeParse((await store.get(KEYS.releaseIntent))?.value);
  const intent = stored.success ? stored.data : null;
  const known = await readAll(store, KEYS.releases, knownReleaseSchema);
  const reports = await readAll(store, KEYS.reports, regionReportSchema);
  const snapshot = numberOf((await store.get(KEYS.snapshot))?.value);
  const regions = Object.keys(spec.regions).flatMap((region) => {
    if (intent === null) return [];
    const report = reports.find((one) => one.region === region);
    const fresh = report && reportAges(report.observer, report.seq) <= REPORT_FRESH_MS;
    const gateway = fresh ? report.gateway : null;
    const golden = report?.golden ?? [];
    return [regionRelease({ region, intent, known, gateway, golden, snapshot })];
  });
  return {
    estate: spec.estate,
    epoch: intent?.epoch ?? null,
    lastGood: intent === null ? null : lastGood(intent),
    good: intent?.good ?? [],
    changing: intent?.heldBy ?? null,
    because: intent?.heldBy ? await thoughtOf(store) : null,
    snapshot,
    regions,
    known: known.map(({ digest, body, number, expires, since, by }) => {
      const { name, version } = body;
      return { digest, name, version, number, expires, since, by };
    }),
  };
}

async function thoughtOf(store: Store): Promise<string | null> {
  const entry = await store.get(KEYS.decision(EVERY_WORKFLOW));
  return decisionSchema.safeParse(entry?.value).data?.because ?? null;
}

interface About {
  readonly region: string;
  readonly intent: ReleaseIntent;
  readonly known: readonly KnownRelease[];
  readonly gateway: RegionReport["gateway"];
  readonly golden: NonNullable<RegionReport["golden"]>;
  readonly snapshot: number | null;
}

function regionRelease(about: About): RegionRelease {
  const { region, intent, known, gateway } = about;
  const intended = releaseOf(intent, region);
  const digest = gateway?.release ?? null;
  const differs =
    digest === null || digest === intended ? [] : differingFiles(known, digest, intended);
  return {
    region,
    intended,
    since: intent.regions[region]?.since ?? null,
    serves:
      gateway === null
        ? null
        : {
            digest,
            digestForMs: gateway.releaseSinceMs ?? null,
            number: gateway.number,
            numberForMs: gateway.sinceMs,
          },
    lastError: gateway?.lastError ?? null,
    golden: about.golden.flatMap(({ workflow, scores }) =>
      scores
        .filter(({ release }) => release === intended)
        .map(({ right, wrong }) => ({ workflow, right: right.length, wrong: wrong.length })),
    ),
    differs,
    because: sentenceOf(about, { intended, digest, differs }),
  };
}

function sentenceOf(
  { gateway, snapshot }: About,
  found: {
    readonly intended: string;
    readonly digest: string | null;
    readonly differs: readonly string[];
  },
): string {
  const { intended, digest, differs } = found;
  if (gateway === null) return "nobody has heard of its gateway lately";
  if (digest === null) return "its gateway does not say which release it serves";
  const error = gateway.lastError === null ? "" : ` (${gateway.lastError})`;
  if (digest !== intended) {
    const files = differs.length === 0 ? "" : `: ${differs.join(", ")} differs`;
    return `it serves ${digest}, not ${intended}${files}${error}`;
  }
  if (snapshot !== null && gateway.number < snapshot) {
    return `it serves snapshot ${gateway.number}, the newest is ${snapshot}${error}`;
  }
  return "it serves what it shall";
}

/** Titles of the files in which two known releases differ. Of one that nobody knows, none. */
function differingFiles(known: readonly KnownRelease[], one: string, other: string): string[] {
  const [before, after] = [one, other].map((digest) => filesOf(known, digest));
  if (!before || !after) return [];
  return diffReleases(before, after).map(({ path }) => path);
}

function filesOf(known: readonly KnownRelease[], digest: string) {
  const found = known.find((one) => one.digest === digest);
  if (found === undefined) return null;
  const parts = Object.entries(found.parts).map(
    ([name, text]) => [name, Buffer.from(text, "base64")] as const,
  );
  try {
    return readParts(digest, new Map(parts));
  } catch {
    // A release that is not whole any more is told of elsewhere; here it hides nothing else.
    return null;
  }
}

function numberOf(value: unknown): number | null {
  if (typeof value !== "object" || value === null || !("number" in value)) return null;
  return typeof value.number === "number" ? value.number : null;
}
