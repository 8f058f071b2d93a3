import { TideoverError } from "../lib/errors.ts";
import type { Estate } from "./estate.ts";
import { lockEstate } from "./lock.ts";
import { requireFree } from "./ports.ts";
import { type ProcessPlan, type RunningProcess, startProcess } from "./process.ts";

/** Time that a process gets to end by itself before it is killed. */
const STOP_MS = 5_000;

export interface ProcessView {
  readonly name: string;
  readonly region: string | null;
  readonly address: string;
  readonly pid: number;
  readonly state: "running" | "dead";
  readonly ended: string | null;
}

/**
 * Runs every role of an estate on this machine as its own process. It does not restart what dies:
 * an estate on one machine is there to show what happens when something dies.
 */
export class Supervisor {
  readonly #plans: readonly ProcessPlan[];
  readonly #running = new Map<string, RunningProcess>();
  readonly #dead = new Map<string, string>();
  readonly #unlock: () => void;
  readonly #onDeath: (name: string, how: string) => void;
  #stopping = false;

  private constructor(
    plans: readonly ProcessPlan[],
    unlock: () => void,
    onDeath: (name: string, how: string) => void,
  ) {
    this.#plans = plans;
    this.#unlock = unlock;
    this.#onDeath = onDeath;
  }

  /**
   * Locks the data folder and starts every process. Either all of them run afterwards, or none:
   * the first that fails ends the others and is the error. `signal` stops a start half-way.
   */
  static async start(
    estate: Estate,
    options: { signal?: AbortSignal; onDeath?: (name: string, how: string) => void } = {},
  ): Promise<Supervisor> {
    const plans = processPlans(estate);
    const unlock = lockEstate(estate.data);
    const supervisor = new Supervisor(plans, unlock, options.onDeath ?? (() => undefined));
    try {
      await requireFree(plans.map(({ name, address }) => ({ role: name, address })));
      await supervisor.#startAll(plans, options.signal);
      return supervisor;
    } catch (error) {
      await supervisor.stop();
      throw error;
    }
  }

  processes(): ProcessView[] {
    return this.#plans.map(({ name, region, address }) => ({
      name,
      region,
      address,
      pid: this.#running.get(name)?.pid ?? 0,
      state: this.#dead.has(name) ? "dead" : "running",
      ended: this.#dead.get(name) ?? null,
    }));
  }

  /** SIGKILL to every process of a region at once. Resolves when all of them are gone. */
  async killRegion(region: string): Promise<void> {
    const victims = this.#ofRegion(region);
    for (const victim of victims) victim.kill("SIGKILL");
    await Promise.all(victims.map(({ ended }) => ended));
  }

  /** Sends one signal to a process: SIGSTOP and SIGCONT make a region stand still. */
  signalRegion(region: string, signal: NodeJS.Signals): void {
    for (const process of this.#ofRegion(region)) process.kill(signal);
  }

  /** Starts again what is dead in a region. Resolves when all of it is ready. */
  async startRegion(region: string): Promise<void> {
    const plans = this.#plans.filter((plan) => plan.region === region && this.#dead.has(plan.name));
    await this.#startAll(plans);
  }

  /** SIGKILL to one process. Resolves when it is gone. Throws NOT_FOUND when it does not run. */
  async killProcess(name: string): Promise<void> {
    const victim = this.#ofName(name);
    victim.kill("SIGKILL");
    await victim.ended;
  }

  /** Sends one signal to one process. Throws NOT_FOUND when it does not run. */
  signalProcess(name: string, signal: NodeJS.Signals): void {
    this.#ofName(name).kill(signal);
  }

  /** Starts one dead process again. Resolves when it is ready. */
  async startProcess(name: string): Promise<void> {
    await this.#startAll(this.#plans.filter((plan) => plan.name === name && this.#dead.has(name)));
  }

  /** Ends everything, in any state. What does not end by itself in time is killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#running.values()].map(end));
    this.#unlock();
  }

  #ofRegion(region: string): RunningProcess[] {
    return [...this.#running.values()].filter(
      ({ plan }) => plan.region === region && !this.#dead.has(plan.name),
    );
  }

  #ofName(name: string): RunningProcess {
    const running = this.#running.get(name);
    if (running && !this.#dead.has(name)) return running;
    const known = this.#plans.map((plan) => plan.name).join(", ");
    throw new TideoverError(`no process "${name}" runs here`, {
      code: "NOT_FOUND",
      next: `This estate's processes are: ${known}.`,
    });
  }

  async #startAll(plans: readonly ProcessPlan[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    // What is started after `stop` has looked would outlive it.
    if (this.#stopping) throw new TideoverError("the estate stops", { code: "ESTATE_NOT_UP" });
    const started = plans.map((plan) => this.#startOne(plan));
    const all = Promise.all(started.map(({ ready }) => ready));
    await (signal ? Promise.race([all, aborted(signal)]) : all);
  }

  #startOne(plan: ProcessPlan): RunningProcess {
    const running = startProcess(plan);
    this.#running.set(plan.name, running);
    this.#dead.delete(plan.name);
    void running.ended.then((how) => {
      this.#dead.set(plan.name, how);
      if (!this.#stopping) this.#onDeath(plan.name, how);
    });
    return running;
  }
}

/** What has to run: per region a gateway, an agent and its reference runtimes; the controllers. */
function processPlans(estate: Estate): ProcessPlan[] {
  const { spec, data, specPath } = estate;
  const common = ["--spec", specPath, "--data", data.root];
  const plan = (
    role: string,
    region: string | null,
    name: string,
    address: string,
    args: string[],
  ): ProcessPlan => ({
    name,
    region,
    address,
    args: [role, ...common, ...args],
    log: data.log(name.replaceAll(":", "-")),
  });
  const regional = Object.entries(spec.regions).flatMap(([name, region]) => [
    ...region.components.runtime.targets
      .filter((target) => target.reference !== undefined)
      .map((target) =>
        plan("runtime", name, `runtime:${name}:${target.name}`, new URL(target.url).host, [
          ...["--region", name, "--target", target.name],
        ]),
      ),
    plan("gateway", name, `gateway:${name}`, region.gateway, ["--region", name]),
    ...(region.agent
      ? [plan("agent", name, `agent:${name}`, region.agent, ["--region", name])]
      : []),
  ]);
  const controllers = spec.controllers.map((address) =>
    plan("controller", null, `controller:${address}`, address, ["--listen", address]),
  );
  return [...regional, ...controllers];
}

async function end(running: RunningProcess): Promise<void> {
  // A stopped process (SIGSTOP) would never see its SIGTERM.
  running.kill("SIGCONT");
  running.kill("SIGTERM");
  const timer = setTimeout(() => running.kill("SIGKILL"), STOP_MS);
  await running.ended;
  clearTimeout(timer);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
