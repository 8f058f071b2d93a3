import { TideoverError } from "../lib/errors.ts";
import { type Snapshot, snapshotSchema } from "../model/snapshot.ts";
import type { Spec } from "../model/spec.ts";
import type { Trouble } from "../model/trouble.ts";
import type { Agents, CanaryAnswer } from "../ports/agents.ts";
import type { Clock } from "../ports/clock.ts";
import type { Probe } from "../ports/probe.ts";
import type { Acknowledgement, Traffic } from "../ports/traffic.ts";
import { ownerOf, simReadiness } from "./agent.ts";
import type { SimNetwork } from "./network.ts";
import type { SimRegion } from "./region.ts";

/** What one controller reaches of the regions, through the simulated network. */
export interface SimView {
  /** Name of the controller, as the network knows it. */
  readonly from: string;
  readonly spec: Spec;
  readonly regions: ReadonlyMap<string, SimRegion>;
  readonly network: SimNetwork;
  readonly clock: Clock;
}

const PUBLISH_TIMEOUT_MS = 1_000;

export function simProbe({ from, spec, regions, network, clock }: SimView): Probe {
  return {
    async exchange({ url, timeoutMs }) {
      const [name] =
        Object.entries(spec.regions).find(([, region]) =>
          [region.gateway, region.agent].includes(new URL(url).host),
        ) ?? [];
      const region = regionOf(regions, name ?? url);
      const reason = await network.reach(from, region, timeoutMs);
      const body = JSON.stringify({ troubles: troublesOf(spec, region, clock.monotonic()) });
      return reason === null
        ? { answered: true, status: 200, headers: {}, body, tookMs: 1 }
        : { answered: false, reason, tookMs: reason.startsWith("no answer") ? timeoutMs : 1 };
    },
  };
}

/** As the gateway of a region whose models are gone, and that is asked all the time. */
function troublesOf(spec: Spec, { name, modelsLostAt }: SimRegion, now: number): Trouble[] {
  if (modelsLostAt === null) return [];
  const targets = spec.regions[name]?.components.runtime.targets ?? [];
  return targets.map(({ name: target }) => ({
    ...{ target, region: name, domain: "capacity-loss", standing: "out", ejections: 1 },
    ...{ sinceMs: now - modelsLostAt, seenAgoMs: 0, because: "connection refused" },
  }));
}

export function simTraffic({ from, regions, network }: SimView): Traffic {
  const ask = async (name: string, then: (region: SimRegion) => void): Promise<Acknowledgement> => {
    const region = regionOf(regions, name);
    const reason = await network.reach(from, region, PUBLISH_TIMEOUT_MS);
    if (reason !== null) return { reachable: false, reason };
    then(region);
    const { snapshot } = region;
    const release = snapshot?.regions[name]?.release;
    return {
      ...{ reachable: true, number: snapshot?.number ?? 0, lastError: region.lastError },
      ...(release === undefined ? {} : { release }),
    };
  };
  return {
    publish: (name, signed) =>
      ask(name, (region) => {
        region.offer(snapshotSchema.parse(JSON.parse(signed.payload)));
      }),
    acknowledged: (name) => ask(name, () => undefined),
  };
}

export function simAgents(view: SimView): Agents {
  const { from, regions, network } = view;
  const reached = async (name: string, timeoutMs: number): Promise<SimRegion> => {
    const region = regionOf(regions, name);
    const reason = await network.reach(from, region, timeoutMs);
    if (reason !== null) throw unavailable(`${name}'s agent: ${reason}`);
    return region;
  };
  return {
    async readiness(name, workflow, { exactIndex, timeoutMs }) {
      const region = await reached(name, timeoutMs);
      return simReadiness({ ...view, region }, workflow, exactIndex);
    },
    async obeyOwnership(name, ownership, timeoutMs) {
      const region = await reached(name, timeoutMs);
      region.index(ownership.index).obey(ownership);
      region.obeyed.push(ownership);
      return region.index(ownership.index).position();
    },
    async catchUp(name, index, timeoutMs) {
      const copy = (await reached(name, timeoutMs)).index(index);
      const owner = ownerOf(view, copy);
      if (owner !== null && owner !== copy) copy.follow(owner);
      return { own: copy.position(), owner: owner?.position() ?? null };
    },
    async proveIndex(name, index, timeoutMs) {
      const copy = (await reached(name, timeoutMs)).index(index);
      const because = copy.quarantined ?? "all records are what was written";
      return { accepted: copy.quarantined === null, position: copy.position(), because };
    },
    async canary(name, workflow, timeoutMs, options) {
      const entrance = await reached(name, timeoutMs);
      if (options?.standby === true) entrance.onCanary?.();
      return options?.standby === true
        ? answerOf(name, entrance.snapshot, workflow)
        : canary(regions, entrance, workflow);
    },
    async fetchRelease(name, digest, timeoutMs) {
      const region = await reached(name, timeoutMs);
      region.fetched.add(digest);
      return { complete: true, detail: "all of it is here" };
    },
    async verifyRelease(name, digest, timeoutMs) {
      const region = await reached(name, timeoutMs);
      if (!region.fetched.has(digest)) return { complete: false, detail: "it is not here" };
      const refused = region.refuses.get(digest);
      if (refused === undefined) return { complete: true, detail: "every digest holds" };
      throw new TideoverError(`${name} refuses ${digest}: ${refused}`, { code: "RELEASE_INVALID" });
    },
  };
}

/** As a gateway routes: itself when it serves, else the first serving region that lives. */
function canary(
  regions: ReadonlyMap<string, SimRegion>,
  entrance: SimRegion,
  workflow: string,
): CanaryAnswer {
  const serving = entrance.snapshot?.workflows[workflow]?.serving ?? [];
  const names = serving.includes(entrance.name) ? [entrance.name] : serving;
  const answering = names
    .map((name) => regionOf(regions, name))
    .find(({ state, modelsLostAt }) => state === "up" && modelsLostAt === null);
  if (answering === undefined) return { ...NO_ANSWER, detail: `${names.join(", ")} do not answer` };
  return answerOf(answering.name, answering.snapshot, workflow);
}

const NO_ANSWER: CanaryAnswer = {
  ok: false,
  region: null,
  releaseDigest: null,
  epoch: null,
  mode: null,
  detail: "",
};

function answerOf(region: string, snapshot: Snapshot | null, workflow: string): CanaryAnswer {
  return {
    ok: true,
    region,
    releaseDigest: snapshot?.regions[region]?.release ?? null,
    epoch: snapshot?.workflows[workflow]?.epoch ?? null,
    mode: "normal",
    detail: "200 in 1 ms",
  };
}

export function regionOf(regions: ReadonlyMap<string, SimRegion>, name: string): SimRegion {
  const region = regions.get(name);
  if (region === undefined) throw new Error(`the simulated world has no region ${name}`);
  return region;
}

function unavailable(message: string): TideoverError {
  return new TideoverError(message, { code: "PEER_UNAVAILABLE", retry: "later" });
}
