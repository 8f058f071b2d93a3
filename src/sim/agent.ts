import { ownershipSchema } from "../model/intent.ts";
import { KEYS } from "../model/keys.ts";
import type { Readiness } from "../model/readiness.ts";
import type { IndexState, RegionReport, Signal } from "../model/signal.ts";
import type { Spec } from "../model/spec.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import type { SimNetwork } from "./network.ts";
import type { SimIndexCopy, SimRegion } from "./region.ts";

export interface SimAgentOptions {
  readonly region: SimRegion;
  readonly regions: ReadonlyMap<string, SimRegion>;
  readonly spec: Spec;
  readonly network: SimNetwork;
  readonly clock: Clock;
  readonly store: Store;
}

const TURN_MS = 250;
/** What a model that is gone says. */
const REFUSED = "connection refused";
const SIGNALS_KEPT = 200;

/**
 * A region's agent, in short: looks at every region, follows the owners of its indexes, and reports
 * to the store. It does nothing while its region is down, and goes on when it is up again.
 */
export async function runSimAgent(options: SimAgentOptions): Promise<never> {
  const eyes = createEyes(options);
  for (let seq = 1; ; seq += 1) {
    if (options.region.state === "up") {
      eyes.look();
      // The store may be away; an agent that cannot report goes on looking.
      await oneTurn(options, eyes.seen(), seq).catch(() => undefined);
    }
    await options.clock.sleep(TURN_MS);
  }
}

function createEyes({ region, regions, spec, network, clock }: SimAgentOptions) {
  const observer = `agent:${region.name}`;
  const { timeout } = spec.detection;
  let seen: Signal[] = [];
  let seq = 0;

  async function lookAt(other: SimRegion, part: "gateway" | "agent" | "runtime"): Promise<void> {
    const from = clock.monotonic();
    const reached = await network.reach(region.name, other, timeout);
    if (region.state !== "up") return;
    const failure = part === "runtime" && other.modelsLostAt !== null ? REFUSED : reached;
    seq += 1;
    const [at, latencyMs] = [clock.monotonic(), clock.monotonic() - from];
    seen = [
      ...seen.slice(-SIGNALS_KEPT),
      {
        observer,
        observerRegion: region.name,
        seq,
        subject: { region: other.name, part },
        at,
        ok: failure === null,
        detail: failure ?? `200 in ${latencyMs} ms`,
        latencyMs,
      },
    ];
  }

  return {
    look() {
      for (const other of regions.values()) {
        void lookAt(other, "gateway");
        void lookAt(other, "agent");
      }
      void lookAt(region, "runtime");
    },
    seen: () => seen,
  };
}

async function oneTurn(
  options: SimAgentOptions,
  signals: readonly Signal[],
  seq: number,
): Promise<void> {
  const { region, clock, store, spec } = options;
  await followOwners(options);
  const report: RegionReport = {
    region: region.name,
    observer: `agent:${region.name}`,
    seq,
    monotonicNow: clock.monotonic(),
    wallNow: clock.now(),
    signals: [...signals],
    indexes: [...region.indexes.values()].map((copy) => indexState(options, copy)),
    golden: Object.keys(spec.workflows).map((workflow) => ({
      workflow,
      scores: region.goldenScores(),
    })),
    gateway: { number: region.snapshot?.number ?? 0, sinceMs: 0, lastError: region.lastError },
  };
  const readiness = Object.keys(spec.workflows).map((workflow) =>
    simReadiness(options, workflow, false),
  );
  await store.commit({
    compare: [],
    operations: [
      { put: KEYS.report(report.observer), value: report },
      ...readiness.map((one) => ({ put: KEYS.readiness(one.region, one.workflow), value: one })),
    ],
  });
}

/** Obeys what the store says, and copies what the owners have. */
async function followOwners(options: SimAgentOptions): Promise<void> {
  const { region, store } = options;
  for (const { value } of await store.list(KEYS.ownerships)) {
    const ownership = ownershipSchema.parse(value);
    const copy = region.index(ownership.index);
    if (ownership.epoch > (copy.ownership?.epoch ?? 0)) copy.obey(ownership);
    const owner = ownerOf(options, copy);
    if (owner !== null && owner !== copy) copy.follow(owner);
  }
}

/** The owner's copy if its region can be asked; null otherwise. */
export function ownerOf(
  { regions }: Pick<SimAgentOptions, "regions">,
  copy: SimIndexCopy,
): SimIndexCopy | null {
  const owner = copy.ownership && regions.get(copy.ownership.region);
  return owner?.state === "up" ? owner.index(copy.name) : null;
}

function indexState(options: SimAgentOptions, copy: SimIndexCopy): IndexState {
  const owner = ownerOf(options, copy);
  return {
    index: copy.name,
    position: copy.position(),
    ownerPosition: owner?.position() ?? null,
    lagMs: 0,
    ownerSeenAgoMs: owner === null ? null : 0,
    orphans: copy.orphans.length,
    error: null,
    readable: true,
    standing:
      copy.quarantined === null
        ? { kind: "whole" }
        : { kind: "quarantined", because: copy.quarantined },
    watermarks: { all: copy.watermark, tenants: {} },
  };
}

/** The readiness checks of the simulated region: its own fault, and whether its copy is level. */
export function simReadiness(
  options: Pick<SimAgentOptions, "region" | "regions" | "spec" | "clock">,
  workflow: string,
  exactIndex: boolean,
): Readiness {
  const { region, spec, clock } = options;
  const fault = region.modelsLostAt !== null ? REFUSED : (region.unready.get(workflow) ?? null);
  const index = spec.workflows[workflow]?.retrieval?.index;
  const behind = exactIndex && index ? lagOf(options, region.index(index)) : 0;
  const damage = index ? region.index(index).quarantined : null;
  const checks = [
    check("model", fault === null, fault ?? "the release's model answers"),
    check("index", behind === 0 && damage === null, damage ?? levelWord(behind)),
  ];
  const missing = checks.filter(({ pass }) => !pass).map(({ evidence }) => evidence);
  return {
    region: region.name,
    workflow,
    ready: missing.length === 0,
    because: missing.length === 0 ? "every check passed" : missing.join("; "),
    at: clock.now(),
    checks,
  };
}

function levelWord(behind: number): string {
  return behind === 0 ? "level" : `${behind} changes behind`;
}

function lagOf(options: Pick<SimAgentOptions, "regions">, copy: SimIndexCopy): number {
  const owner = ownerOf(options, copy);
  return owner === null ? 1 : owner.changes.length - copy.changes.length;
}

function check(name: string, pass: boolean, evidence: string): Readiness["checks"][number] {
  return { name, pass, evidence, required: true, tookMs: 1 };
}
