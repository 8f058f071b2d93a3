import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { installPortkey } from "./contenders/portkey.ts";
import { startTideover } from "./failover/estate.ts";
import { FAULTS, type Fault } from "./failover/faults.ts";
import type { FaultResult } from "./failover/judge.ts";
import { nowInside, runInside } from "./failover/network.ts";
import { haproxyMissing, startHaproxy } from "./failover/peers/haproxy.ts";
import { startPortkey } from "./failover/peers/portkey.ts";
import { type Measured, report } from "./failover/report.ts";
import type { StartSite } from "./failover/site.ts";
import { type Script, tryFault } from "./failover/strike.ts";
import { Bench } from "./support/bench.ts";

const USAGE = `npm run bench:failover -- [--client] [--quick] [--json] [--rate 200] [--streams 200]
                          [--only kill-runtime,…] [--peers haproxy,portkey | --no-peers]

Breaks one thing after the other on a real two-region estate under load, and prints what callers
saw of it; then the same before HAProxy and before Portkey, where they can be had. The callers use
the official client at the surviving region's gateway; with --client they use it with Tideover's
fetch, which knows both gateways. --json ends with one line of JSON.
Faults: ${FAULTS.map(({ name }) => name).join(", ")}.`;

const PEERS = { haproxy: startHaproxy, portkey: startPortkey } as const;
type Peer = keyof typeof PEERS;

/** Why a peer cannot be had, by its name. */
type Missing = Partial<Record<Peer, string>>;

interface Settings extends Script {
  readonly faults: readonly Fault[];
  readonly peers: readonly Peer[];
  readonly json: boolean;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      client: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      rate: { type: "string", default: "200" },
      streams: { type: "string", default: "200" },
      only: { type: "string" },
      peers: { type: "string", default: Object.keys(PEERS).join(",") },
      "no-peers": { type: "boolean", default: false },
      // What the run outside found missing; given to the same program in its own network.
      inside: { type: "string" },
    },
  });
  if (values.help) return print(USAGE);
  const settings: Settings = {
    dropIn: values.client,
    json: values.json,
    perSecond: countOf("--rate", values.rate),
    streams: countOf("--streams", values.streams),
    beforeMs: values.quick ? 7_000 : 12_000,
    afterMs: values.quick ? 10_000 : 20_000,
    faults: chosen("--only", values.only, FAULTS, ({ name }) => name),
    peers: values["no-peers"] ? [] : chosen("--peers", values.peers, peerNames(), (name) => name),
  };
  if (values.inside !== undefined) {
    nowInside();
    return measureAll(settings, JSON.parse(values.inside));
  }
  // Before the namespace, which has no way out to a registry.
  const missing = await findMissing(settings.peers);
  const inside = ["--inside", JSON.stringify(missing)];
  const file = fileURLToPath(import.meta.url);
  return (
    (await runInside(file, [...process.argv.slice(2), ...inside])) ?? measureAll(settings, missing)
  );
}

function peerNames(): readonly Peer[] {
  return ["haproxy", "portkey"];
}

async function findMissing(peers: readonly Peer[]): Promise<Missing> {
  const missing: Missing = {};
  const noHaproxy = haproxyMissing();
  if (noHaproxy !== null) missing.haproxy = noHaproxy;
  if (peers.includes("portkey")) {
    await installPortkey(new AbortController().signal).catch((error) => {
      missing.portkey = error instanceof Error ? error.message : String(error);
    });
  }
  return missing;
}

async function measureAll(settings: Settings, missing: Missing): Promise<number> {
  const bench = new Bench();
  try {
    const ours = await measure(bench, "tideover", startTideover, settings);
    const peers: Partial<Record<Peer, readonly FaultResult[]>> = {};
    const all: Measured[] = [{ name: "tideover", results: ours, missing: null }];
    for (const name of settings.peers) {
      const why = missing[name] ?? null;
      const script = { ...settings, dropIn: false };
      const results = why === null ? await measure(bench, name, PEERS[name], script) : [];
      if (why === null) peers[name] = results;
      all.push({ name, results, missing: why });
    }
    print(report(all, settings));
    if (settings.json) print(JSON.stringify({ faults: ours, peers }));
    return 0;
  } finally {
    bench.stop();
  }
}

async function measure(
  bench: Bench,
  name: string,
  start: StartSite,
  settings: Settings,
): Promise<readonly FaultResult[]> {
  const results: FaultResult[] = [];
  for (const [round, fault] of settings.faults.entries()) {
    process.stderr.write(`bench: ${name}, ${fault.name}: ${fault.what}\n`);
    results.push(await tryFault(bench, start, fault, settings, round));
  }
  return results;
}

function countOf(flag: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0 && count <= 2_000) return count;
  throw new Error(`${flag} ${text} is no count; write a whole number from 1 to 2000`);
}

/** Those that are named; all when none is. */
function chosen<T>(
  flag: string,
  named: string | undefined,
  all: readonly T[],
  nameOf: (one: T) => string,
): readonly T[] {
  if (named === undefined) return all;
  return named.split(",").map((wanted) => {
    const found = all.find((one) => nameOf(one) === wanted.trim());
    if (found !== undefined) return found;
    const known = all.map(nameOf).join(", ");
    throw new Error(`${flag} ${wanted}: there is no such thing; write some of ${known}`);
  });
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
