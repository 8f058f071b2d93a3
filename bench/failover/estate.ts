import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openEstate } from "../../src/app/estate.ts";
import { startLocalEstate } from "../../src/app/local-estate.ts";
import { freePorts } from "../../src/app/ports.ts";
import type { ProcessView } from "../../src/app/supervisor.ts";
import { KEY_HASH } from "../contenders/contender.ts";
import { ROOT } from "../support/bench.ts";
import type { StartSite } from "./site.ts";
import { MODEL, type Place, REGIONS, SURVIVOR, VICTIM } from "./victims.ts";
import { watch } from "./watch.ts";

const WORKFLOW = "summarize";

/** Tideover: a gateway and an agent in each region, and a controller. The victim serves. */
export const startTideover: StartSite = async (bench, victims, round) => {
  const ports = await freePorts(1 + 2 * REGIONS.length);
  const port = (): number => ports.pop() ?? 0;
  const folder = join(bench.folder, `estate-${round}`);
  const gateways = Object.fromEntries(REGIONS.map((region) => [region, `127.0.0.1:${port()}`]));
  const spec = writeSpec(folder, { places: victims.places, gateways, port });
  const estate = openEstate({ spec, data: join(folder, "data") });
  const local = await startLocalEstate(estate, { tell: () => undefined, signal: bench.signal });
  // The estate's processes end themselves with us, except those that a fault has stopped.
  bench.alsoEnd(() => killAll(local.supervisor.processes()));
  victims.alsoSignal((signal) => void local.supervisor.signalRegion(VICTIM, signal));
  const urls = Object.fromEntries(REGIONS.map((name) => [name, `http://${gateways[name]}`]));
  return {
    gateways: [urls[VICTIM] ?? "", urls[SURVIVOR] ?? ""],
    model: WORKFLOW,
    headers: {},
    watch: (clock) => watch(urls, clock),
    stop: () => local.stop(),
  };
};

function killAll(processes: readonly ProcessView[]): void {
  for (const { pid, state } of processes) {
    // 0 would be our whole process group.
    if (pid > 0 && state === "running") process.kill(pid, "SIGKILL");
  }
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
    declare: { by: automatic, who: bench, signals: [region-outage, capacity-loss] }
    customers: { channel: status page, message: "{workflow} moved from {from} to {to}." }
`;
}
