import { type Controller, startController } from "../control/controller.ts";
import type { ControllerDeps } from "../control/deps.ts";
import { type Evidence, evidenceSchema } from "../model/evidence.ts";
import {
  type Intent,
  indexHoldSchema,
  intentSchema,
  type Ownership,
  ownershipSchema,
} from "../model/intent.ts";
import { KEYS } from "../model/keys.ts";
import { type Plan, type PlanState, planSchema, planStateSchema } from "../model/plan.ts";
import {
  type KnownRelease,
  type ReleaseIntent,
  releaseIntentSchema,
} from "../model/release-intent.ts";
import type { IndexRequest, OperatorRequest, ReleaseRequest } from "../model/request.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Spec } from "../model/spec.ts";
import type { Agents } from "../ports/agents.ts";
import { runSimAgent } from "./agent.ts";
import { SimClock } from "./clock.ts";
import { SIM_RELEASE, simSpec } from "./estate.ts";
import { SimNetwork } from "./network.ts";
import { MemoryNotify } from "./notify.ts";
import { regionOf, simAgents, simProbe, simTraffic } from "./ports.ts";
import { SimProcess } from "./process.ts";
import { type Random, seededRandom } from "./random.ts";
import { SimRegion } from "./region.ts";
import { parseScript, type ScriptLine } from "./script.ts";
import { MemoryBackend, MemoryStore } from "./store.ts";

export interface SimController {
  readonly id: string;
  readonly process: SimProcess;
  readonly store: MemoryStore;
  readonly controller: Controller;
  /** Its own: a test may break one of its methods. */
  readonly agents: Agents;
}

export interface WorldOptions {
  readonly spec?: Spec;
  readonly seed?: number;
}

/**
 * A whole estate on virtual time: regions with gateways, agents and indexes, a store, and as many
 * controllers as a test starts. Equal seeds and scripts give equal runs.
 */
export class World {
  readonly spec: Spec;
  readonly clock = new SimClock();
  readonly random: Random;
  readonly network: SimNetwork;
  readonly backend: MemoryBackend;
  readonly notify = new MemoryNotify();
  readonly regions: ReadonlyMap<string, SimRegion>;
  /** What the gateways adopted, in the order of time. */
  readonly adoptions: { readonly region: string; readonly snapshot: Snapshot }[] = [];
  readonly controllers = new Map<string, SimController>();
  readonly #agentStores: MemoryStore[] = [];
  #script: ScriptLine[] = [];
  #plans = 0;
  #processes = 0;
  #storeReachable = true;

  constructor(options: WorldOptions = {}) {
    this.spec = options.spec ?? simSpec();
    this.random = seededRandom(options.seed ?? 1);
    this.network = new SimNetwork(this.clock, this.random);
    this.backend = new MemoryBackend(this.clock);
    const indexes = Object.keys(this.spec.indexes);
    this.regions = new Map(
      Object.keys(this.spec.regions).map((name) => [name, new SimRegion(name, indexes)]),
    );
    for (const region of this.regions.values()) {
      region.onAdopt = (snapshot) => this.adoptions.push({ region: region.name, snapshot });
      this.#startAgent(region);
    }
  }

  /** A controller process that turns by itself as the virtual time passes. */
  start(id: string, change: Partial<ControllerDeps> = {}): SimController {
    const process = new SimProcess(this.clock, this.#bornAt());
    const store = new MemoryStore(this.backend);
    store.reachable = this.#storeReachable;
    const { spec, regions, network, clock } = this;
    const view = { from: id, spec, regions, network, clock };
    const agents = simAgents(view);
    const controller = startController({
      id,
      spec,
      release: SIM_RELEASE,
      store: process.through("store", store),
      clock: process.clock,
      probe: process.through("probe", simProbe(view)),
      traffic: process.through("traffic", simTraffic(view)),
      agents: process.through("agents", agents),
      notify: process.through("notify", this.notify),
      sign: (payload) => ({ payload, keyId: "sim", signature: "sim" }),
      logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
      newId: () => `plan-${++this.#plans}`,
      bakeMs: 1_000,
      ...change,
    });
    const started = { id, process, store, controller, agents };
    this.controllers.set(id, started);
    return started;
  }

  /** Lines such as `at 10 s kill eu-west`; times count from the world's beginning. See script.ts. */
  script(text: string): void {
    this.#script = [...this.#script, ...parseScript(text)].toSorted((a, b) => a.atMs - b.atMs);
  }

  /** Lets time pass, with what the script says happening in it. */
  async run(ms: number): Promise<void> {
    const until = this.clock.monotonic() + ms;
    for (;;) {
      const [next] = this.#script;
      if (next === undefined || next.atMs > until) break;
      this.#script.shift();
      await this.clock.advance(next.atMs - this.clock.monotonic());
      next.act(this);
    }
    await this.clock.advance(until - this.clock.monotonic());
  }

  /** Lets time pass until it is so. Throws with the record's end when it is not within the limit. */
  async until(what: string, isSo: () => boolean, limitMs = 60_000): Promise<void> {
    const limit = this.clock.monotonic() + limitMs;
    while (!isSo()) {
      if (this.clock.monotonic() >= limit) {
        const tail = this.evidence()
          .slice(-12)
          .map(({ text }) => text);
        throw new Error(`not within ${limitMs} ms: ${what}\n${tail.join("\n")}`);
      }
      await this.run(50);
    }
  }

  kill(name: string): void {
    const controller = this.controllers.get(name);
    if (controller === undefined) regionOf(this.regions, name).state = "dead";
    else controller.process.kill();
  }

  stop(name: string): void {
    const controller = this.controllers.get(name);
    if (controller === undefined) regionOf(this.regions, name).state = "stopped";
    else controller.process.stop();
  }

  /** A dead region comes back with what is on its disks; a stopped one goes on where it was. */
  resume(name: string): void {
    const controller = this.controllers.get(name);
    if (controller === undefined) regionOf(this.regions, name).resume();
    else controller.process.resume();
  }

  /** Every model of a region dies; its gateway, its agent and its indexes live. */
  loseModels(name: string): void {
    regionOf(this.regions, name).modelsLostAt = this.clock.monotonic();
  }

  restoreModels(name: string): void {
    regionOf(this.regions, name).modelsLostAt = null;
  }

  storeAnswers(reachable: boolean): void {
    this.#storeReachable = reachable;
    for (const { store } of this.controllers.values()) store.reachable = reachable;
    for (const store of this.#agentStores) store.reachable = reachable;
  }

  /** What a person asks through the control API. */
  request(request: Pick<OperatorRequest, "kind" | "workflow"> & { to?: string }): void {
    const id = `request-${this.clock.monotonic()}-${request.workflow}`;
    const value: OperatorRequest = { to: null, by: "ada", at: this.clock.now(), ...request, id };
    this.backend.commit({ compare: [], operations: [{ put: KEYS.request(id), value }] });
  }

  /** A person asks for another owner of an index. */
  requestIndex(request: Partial<IndexRequest> = {}): void {
    const id = `index-request-${this.clock.monotonic()}`;
    const at = this.clock.now();
    const value = { index: "handbook", to: null, acceptLoss: false, by: "ada", at, ...request, id };
    this.backend.commit({ compare: [], operations: [{ put: KEYS.indexRequest(id), value }] });
  }

  /** A person makes a release known, as the control API does. */
  know(release: KnownRelease): void {
    const put = KEYS.release(release.digest);
    this.backend.commit({ compare: [], operations: [{ put, value: release }] });
  }

  /** A person asks for another release, or for the last good one. */
  requestRelease(
    kind: ReleaseRequest["kind"],
    release: string | null = null,
    more: Pick<ReleaseRequest, "acceptChanges"> = {},
  ): void {
    const id = `release-request-${this.clock.monotonic()}`;
    const at = this.clock.now();
    const value: ReleaseRequest = { id, kind, release, by: "ada", at, ...more };
    const put = KEYS.releaseRequest(id);
    this.backend.commit({ compare: [], operations: [{ put, value }] });
  }

  releaseIntent(): ReleaseIntent {
    return releaseIntentSchema.parse(this.backend.get(KEYS.releaseIntent)?.value);
  }

  /** A pipeline's change: the owner takes it, or nobody does. */
  write(index: string, change: string): boolean {
    return [...this.regions.values()].some((region) => region.write(index, change));
  }

  region(name: string): SimRegion {
    return regionOf(this.regions, name);
  }

  intent(workflow = "rag-search"): Intent {
    return intentSchema.parse(this.backend.get(KEYS.intent(workflow))?.value);
  }

  ownership(index = "handbook"): Ownership {
    return ownershipSchema.parse(this.backend.get(KEYS.ownership(index))?.value);
  }

  /** Plan that moves an index alone; null at rest. */
  indexHold(index = "handbook"): string | null {
    const held = indexHoldSchema.nullable().parse(this.#value(KEYS.indexHold(index)) ?? null);
    return held?.plan ?? null;
  }

  plans(): { plan: Plan; state: PlanState }[] {
    return this.backend.list(KEYS.plans).map(({ value }) => {
      const plan = planSchema.parse(value);
      return { plan, state: planStateSchema.parse(this.#value(KEYS.planState(plan.id))) };
    });
  }

  evidence(): Evidence[] {
    return this.backend.list(KEYS.evidences).map(({ value }) => evidenceSchema.parse(value));
  }

  #value(key: string): unknown {
    return this.backend.get(key)?.value;
  }

  #startAgent(region: SimRegion): void {
    const store = new MemoryStore(this.backend);
    this.#agentStores.push(store);
    const { clock } = new SimProcess(this.clock, this.#bornAt());
    const { regions, spec, network } = this;
    void runSimAgent({ region, regions, spec, network, clock, store });
  }

  /** No two processes share a monotonic clock: whoever mixes them up is found out. */
  #bornAt(): number {
    this.#processes += 1;
    return this.#processes * 1_000_000;
  }
}
