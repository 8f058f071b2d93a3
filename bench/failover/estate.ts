import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openEstate } from "../../src/app/estate.ts";
import { startLocalEstate } from "../../src/app/local-estate.ts";
import { freePorts } from "../../src/app/ports.ts";
import type { ProcessView } from "../../src/app/supervisor.ts";
import { KEY_HASH } from "../contenders/contender.ts";
import { type Bench, firstMessage, ROOT } from "../support/bench.ts";
import type { Mode } from "./relay.ts";
import type { RelayPlan } from "./relay-process.ts";

/** The region that serves and in which everything breaks, and the one that stands by. */
export const VICTIM = "eu-west";
export const SURVIVOR = "us-east";
export const WORKFLOW = "summarize";
const REGIONS = [VICTIM, SURVIVOR] as const;
const TARGETS = ["first", "second"] as const;

const MODEL = "meridian-extract-1";
const MODEL_DIGEST = "sha256:29bab77a519012806db4d6ea362c1b49ac3d9143b93f953b045293d393cf103e";

/** Between two tokens of an answer. */
export const TOKEN_DELAY_MS = 50;

/** A running estate that can be broken: two regions, two runtimes each behind a relay. */
export interface Victims {
  readonly gateways: Readonly<Record<string, string>>;
  /** What the relay before the victim's first runtime does from now on. */
  relay(mode: Mode): Promise<void>;
  /** A signal to the victim's first runtime. */
  signalRuntime(signal: NodeJS.Signals): void;
  /** A signal to every process of the victim at once. */
  signalRegion(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

interface Place {
  readonly region: string;
  readonly target: string;
  readonly relayPort: number;
  readonly runtimePort: number;
}

export async function startVictims(bench: Bench, round: number): Promise<Victims> {
  const ports = await freePorts(5 + 2 * REGIONS.length * TARGETS.length);
  const port = (): number => ports.pop() ?? 0;
  const places = REGIONS.flatMap((region) =>
    TARGETS.map((target): Place => ({ region, target, relayPort: port(), runtimePort: port() })),
  );
  const runtimes = await startRuntimes(bench, places);
  const relays = await startRelays(bench, places);
  const folder = join(bench.folder, `estate-${round}`);
  const gateways = Object.fromEntries(REGIONS.map((region) => [region, `127.0.0.1:${port()}`]));
  const spec = writeSpec(folder, { places, gateways, port });
  const estate = openEstate({ spec, data: join(folder, "data") });
  const local = await startLocalEstate(estate, { tell: () => undefined, signal: bench.signal });
  // The estate's processes end themselves with us, except those that a fault has stopped.
  bench.alsoEnd(() => killAll(local.supervisor.processes()));
  const children = [...runtimes.map(({ child }) => child), relays];
  const ofVictim = runtimes.filter(({ place }) => place.region === VICTIM);
  return {
    gateways: Object.fromEntries(REGIONS.map((name) => [name, `http://${gateways[name]}`])),
    relay: async (mode) => {
      relays.send({ name: `${VICTIM}/${TARGETS[0]}`, mode });
      await once(relays, "message");
    },
    signalRuntime: (signal) => void ofVictim[0]?.child.kill(signal),
    signalRegion: (signal) => {
      for (const { child } of ofVictim) child.kill(signal);
      local.supervisor.signalRegion(VICTIM, signal);
    },
    stop: async () => {
      await local.stop();
      for (const child of children) child.kill("SIGKILL");
    },
  };
}

function killAll(processes: readonly ProcessView[]): void {
  for (const { pid, state } of processes) {
    // 0 would be our whole process group.
    if (pid > 0 && state === "running") process.kill(pid, "SIGKILL");
  }
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

interface Addresses {
  readonly places: readonly Place[];
  readonly gateways: Readonly<Record<string, string>>;
  readonly port: () => number;
}

/** The sample estate without its index: what a fault does to answers shows without searching, too. */
function writeSpec(folder: string, addresses: Addresses): string {
  mkdirSync(folder, { recursive: true });
  const release = join(folder, "release");
  cpSync(join(ROOT, "examples", "estate", "release"), release, { recursive: true });
  const manifest = join(release, "release.yaml");
  // The sample's limit is for one person who tries it; this load is a company.
  const text = readFileSync(manifest, "utf8");
  writeFileSync(manifest, text.replace(/requestsPerMinute: \d+/, "requestsPerMinute: 10000000"));
  const path = join(folder, "tideover.yaml");
  writeFileSync(path, specText(addresses));
  return path;
}

function specText({ places, gateways, port }: Addresses): string {
  const regions = REGIONS.map((region) => {
    const targets = places
      .filter((place) => place.region === region)
      .map(
        ({ target, relayPort }) =>
          `          - { name: ${target}, url: "http://127.0.0.1:${relayPort}", model: ${MODEL} }`,
      );
    return `  ${region}:
    jurisdiction: EU
    gateway: ${gateways[region]}
    agent: 127.0.0.1:${port()}
    components:
      runtime:
        targets:
${targets.join("\n")}
      telemetry: { audit: file }`;
  });
  return `tideover: 1
estate: bench-failover
controllers: [127.0.0.1:${port()}]
release: ./release
# As in the sample estate.
detection: { interval: 500ms, timeout: 1s, confirm: 4s }
regions:
${regions.join("\n")}
tenants:
  acme: { keys: [${KEY_HASH}] }
workflows:
  ${WORKFLOW}:
    pattern: active-passive
    primary: ${VICTIM}
    standbys: [${SURVIVOR}]
    rto: 10s
    rpo: 2s
    prompt: summarize
    required: [runtime, release, telemetry]
    declare: { by: automatic, who: bench, signals: [region-outage] }
    customers: { channel: status page, message: "{workflow} moved from {from} to {to}." }
`;
}
