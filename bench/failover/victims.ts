import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { freePorts } from "../../src/app/ports.ts";
import { type Bench, firstMessage } from "../support/bench.ts";
import { blackHole } from "./network.ts";
import type { Mode } from "./relay.ts";
import type { RelayPlan } from "./relay-process.ts";

/** The region that serves and in which everything breaks, and the one that stands by. */
export const VICTIM = "eu-west";
export const SURVIVOR = "us-east";
export const REGIONS = [VICTIM, SURVIVOR] as const;
const TARGETS = ["first", "second"] as const;

export const MODEL = "meridian-extract-1";
const MODEL_DIGEST = "sha256:29bab77a519012806db4d6ea362c1b49ac3d9143b93f953b045293d393cf103e";

/** Between two tokens of an answer. */
const TOKEN_DELAY_MS = 50;

/** One runtime, and the address at which everybody asks for it. */
export interface Place {
  readonly region: string;
  readonly target: string;
  readonly relayPort: number;
  readonly runtimePort: number;
}

/** Two regions of two runtimes each, each behind a relay, that can be broken. */
export interface Victims {
  readonly places: readonly Place[];
  /** What the relay before the victim's first runtime does from now on. */
  relay(mode: Mode): Promise<void>;
  /** Nothing passes any more between the victim's first runtime and those who ask it. */
  blackHole(): Promise<void>;
  /** A signal to the victim's first runtime. */
  signalRuntime(signal: NodeJS.Signals): void;
  /** The same to both of the victim's runtimes: nothing else there dies with them. */
  signalRuntimes(signal: NodeJS.Signals): void;
  /** A signal to every process of the victim at once, also to those that stand before it. */
  signalRegion(signal: NodeJS.Signals): void;
  /** Whoever has more processes in the victim's region adds them here. */
  alsoSignal(more: (signal: NodeJS.Signals) => void): void;
  stop(): void;
}

export async function startVictims(bench: Bench): Promise<Victims> {
  const places = await findPlaces();
  const runtimes = await startRuntimes(bench, places);
  const relays = await startRelays(bench, places);
  const ofVictim = runtimes.filter(({ place }) => place.region === VICTIM);
  const others: ((signal: NodeJS.Signals) => void)[] = [];
  const undo: (() => void)[] = [];
  const relay = async (mode: Mode): Promise<void> => {
    relays.send({ name: `${VICTIM}/${TARGETS[0]}`, mode });
    await once(relays, "message");
  };
  return {
    places,
    relay,
    blackHole: async () => {
      const dropped = blackHole(ofVictim[0]?.place.relayPort ?? 0);
      if (dropped === null) await relay("swallow");
      else undo.push(dropped);
    },
    signalRuntime: (signal) => void ofVictim[0]?.child.kill(signal),
    signalRuntimes: (signal) => {
      for (const { child } of ofVictim) child.kill(signal);
    },
    signalRegion: (signal) => {
      for (const { child } of ofVictim) child.kill(signal);
      for (const signalMore of others) signalMore(signal);
    },
    alsoSignal: (more) => void others.push(more),
    stop: () => {
      for (const end of undo) end();
      for (const { child } of runtimes) child.kill("SIGKILL");
      relays.kill("SIGKILL");
    },
  };
}

async function findPlaces(): Promise<readonly Place[]> {
  const ports = await freePorts(2 * REGIONS.length * TARGETS.length);
  const port = (): number => ports.pop() ?? 0;
  return REGIONS.flatMap((region) =>
    TARGETS.map((target) => ({ region, target, relayPort: port(), runtimePort: port() })),
  );
}

interface Runtime {
  readonly place: Place;
  readonly child: ChildProcess;
}

async function startRuntimes(bench: Bench, places: readonly Place[]): Promise<readonly Runtime[]> {
  const runtimes = places.map((place) => {
    const args = [String(place.runtimePort), String(TOKEN_DELAY_MS), MODEL, MODEL_DIGEST];
    return { place, child: bench.startOwn("failover/runtime-process.ts", args, null) };
  });
  await Promise.all(runtimes.map(({ child }) => firstMessage(child)));
  return runtimes;
}

async function startRelays(bench: Bench, places: readonly Place[]): Promise<ChildProcess> {
  const plans = places.map(
    ({ region, target, relayPort, runtimePort }): RelayPlan => ({
      name: `${region}/${target}`,
      port: relayPort,
      upstreamPort: runtimePort,
    }),
  );
  const child = bench.startOwn("failover/relay-process.ts", [JSON.stringify(plans)], null);
  await firstMessage(child);
  return child;
}
