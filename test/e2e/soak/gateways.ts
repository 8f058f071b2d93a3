import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "../../../src/app/ports.ts";
import { NAMELESS_URL, refusedUrl, UNREACHABLE_URL } from "../../support/raw-upstream.ts";
import { type Moody, type Played, startMoody } from "./upstreams.ts";

export const KEY = "tk-demo-acme";
const KEY_HASH = "sha256:bf9a816d50b63c58f5633b4de666026331203a9355551feb8ecff51864f86d5c";

/** How long one request may take, in ms. */
export const DEADLINE_MS = 12_000;
/** Short, so that a silence costs seconds of a soak and not minutes. */
const STALL_MS = 3_000;
/**
 * What a request may take beyond its deadline: a half that began in time is told to its end (3 s),
 * its last stall is waited for, and the machine is busy (2 s).
 */
export const MARGIN_MS = 3_000 + STALL_MS + 2_000;

/** What callers name as the model, each with a path of its own through the gateways. */
export const WORKFLOWS = ["both", "west", "hedged", "at-once"] as const;

const REGIONS = ["west", "east"] as const;

/** Two gateways as users start them, each before upstreams of its region that misbehave. */
export interface World {
  readonly gateways: readonly Gateway[];
  readonly played: Played;
  stop(): Promise<void>;
}

export interface Gateway {
  readonly region: string;
  readonly url: string;
  readonly pid: number;
  /** How it ended; null while it runs. */
  ended(): string | null;
  log(): string;
}

export async function startWorld(folder: string, seed: number): Promise<World> {
  const played: Played = new Map();
  const moody = await startUpstreams(seed, played);
  const ports = await freePorts(REGIONS.length);
  const spec = join(folder, "tideover.yaml");
  writeFileSync(spec, await specText(ports, moody));
  const started = REGIONS.map((region, at) => start(folder, spec, region, ports[at] ?? 0));
  const stop = async (): Promise<void> => {
    for (const { process: child } of started) child.kill("SIGTERM");
    await Promise.all(started.map(({ ended }) => ended));
    await Promise.all(moody.map((upstream) => upstream.close()));
  };
  try {
    await Promise.all(started.map(ready));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    gateways: started.map(({ gateway }) => gateway),
    played,
    stop,
  };
}

/** Three in each region: with two, each would be the only other one. */
async function startUpstreams(seed: number, played: Played): Promise<readonly Moody[]> {
  const regions = REGIONS.map((region, at) => {
    const names = ["a", "b", "c"].map((name) => `${region}-${name}`);
    return startMoody(names, seed + 100 * at, played);
  });
  return (await Promise.all(regions)).flat();
}

interface Started {
  readonly process: ChildProcess;
  readonly ended: Promise<string>;
  readonly gateway: Gateway;
}

/**
 * As users start it, but that memory tells the truth: what lives after each full collection is
 * printed, the young generation stays small, and what is freed goes back to the system at once.
 * Left alone, V8 and malloc keep 100 MiB more or less for later, and no leak is seen beneath it.
 */
const NODE_FLAGS = ["--trace-gc", "--max-semi-space-size=4"];
const MALLOC = { MALLOC_MMAP_THRESHOLD_: "65536", MALLOC_TRIM_THRESHOLD_: "65536" };
const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

function start(folder: string, spec: string, region: string, port: number): Started {
  const data = join(folder, region);
  mkdirSync(data);
  const path = join(folder, `${region}.log`);
  const log = openSync(path, "a");
  const args = ["gateway", "--spec", spec, "--region", region, "--data", data];
  // The channel ends it when we are gone, however that came about.
  const child = spawn(process.execPath, [...NODE_FLAGS, MAIN, ...args], {
    env: { ...process.env, ...MALLOC },
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  let how: string | null = null;
  const ended = once(child, "exit").then(([code, signal]) => {
    how = String(signal ?? `exit ${code}`);
    return how;
  });
  const gateway = {
    region,
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    ended: () => how,
    log: () => readFileSync(path, "utf8"),
  };
  return { process: child, ended, gateway };
}

/** Its own words say why it did not start; the log is gone with the folder. */
async function ready({ process: child, ended, gateway }: Started): Promise<void> {
  const told = await Promise.race([once(child, "message").then(() => null), ended]);
  if (told !== null) throw new Error(`a gateway ended (${told}): ${gateway.log()}`);
}

async function specText(ports: readonly number[], moody: readonly Moody[]): Promise<string> {
  const [west = "", east = ""] = await Promise.all(
    REGIONS.map(async (region) => {
      const own = moody.filter(({ name }) => name.startsWith(region));
      return targetsText(own, region === "west" ? await deadInWest(own) : deadInEast());
    }),
  );
  return `tideover: 1
estate: soak
reflex:
  firstToken: { least: 1s, most: 3s }
  stall: { least: 1s, most: ${STALL_MS}ms }
  wholeAnswer: { least: 1s, most: 4s }
regions:
  west:
    jurisdiction: EU
    gateway: 127.0.0.1:${ports[0]}
    components: { runtime: { targets: [${west}] } }
  east:
    jurisdiction: EU
    gateway: 127.0.0.1:${ports[1]}
    components: { runtime: { targets: [${east}] } }
tenants:
  acme: { keys: [${KEY_HASH}] }
workflows:
${WORKFLOWS.map(workflowText).join("\n")}
`;
}

/** How each target goes on with half an answer: all three ways, and "made again" most. */
const CONTINUATION = ["none", "continue-final-message", "prefill"];

/** The moody ones in turn with those at whose address nobody ever answers. */
function targetsText(own: readonly Moody[], dead: readonly string[]): string {
  return own
    .flatMap(({ name, url }, at) => [
      `{ name: ${name}, url: "${url}", model: m, continuation: ${CONTINUATION[at] ?? "none"} }`,
      ...dead.slice(at, at + 1).map((gone) => `{ name: dead-${at}, url: "${gone}", model: m }`),
    ])
    .join(", ");
}

async function deadInWest(own: readonly Moody[]): Promise<string[]> {
  // TLS greeting at a server without TLS.
  return [await refusedUrl(), (own[0]?.url ?? "").replace("http:", "https:")];
}

function deadInEast(): string[] {
  return [NAMELESS_URL, UNREACHABLE_URL];
}

function workflowText(name: (typeof WORKFLOWS)[number]): string {
  const pattern = name === "west" ? "active-passive" : "active-active";
  const more = { both: "", west: "", hedged: "\n    hedge: true", "at-once": COMPLETE }[name];
  return `  ${name}:
    pattern: ${pattern}
    primary: west
    standbys: [east]
    rto: 10s
    rpo: 1s
    deadline: ${DEADLINE_MS}ms${more}
    declare: { by: person, who: nobody, signals: [region-outage] }
    customers: { channel: e-mail, message: "{workflow} has moved." }`;
}

const COMPLETE = "\n    delivery: complete";
