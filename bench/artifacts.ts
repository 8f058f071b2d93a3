import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { openRegistry } from "../src/adapters/artifacts-registry/registry.ts";
import { MEDIA } from "../src/model/artifact.ts";
import { blobOf, EMPTY, inParts, type MadeBlob, manifestOf } from "../test/support/artifacts.ts";
import { countingRelay } from "../test/support/counting-relay.ts";
import { type Copier, endOf, REPOSITORY, startCopy, TAG } from "./artifacts/copy.ts";
import { type BenchRegistry, startRegistry } from "./artifacts/registry.ts";
import { Bench, findProgram } from "./support/bench.ts";
import { median, rounded, shown, table } from "./support/figures.ts";
import { endedChildrenCpuMs, usageOf } from "./support/usage.ts";

const USAGE = `npm run bench:artifacts -- [--quick] [--json] [--rounds 3]

Copies one artifact of 64 blobs (2 GiB; --quick 256 MiB) between two real registries on this machine,
by Tideover and by skopeo in turn, each time into an empty registry; then copies again with nothing
to do, and kills a copy at half. --json ends with one line of JSON.
Needs docker-registry and skopeo (Debian: apt-get install docker-registry skopeo).`;

const BLOBS = 64;
const MIB = 1_048_576;

interface Settings {
  readonly blobBytes: number;
  readonly rounds: number;
}

interface Timed {
  readonly ms: number;
  /** Of the copier, ms. */
  readonly cpuMs: number;
  /** Of both registries together, ms: it is the same for both copiers, and bounds them. */
  readonly registriesCpuMs: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
    },
  });
  if (values.help) return void process.stdout.write(`${USAGE}\n`);
  requirePrograms();
  const settings: Settings = {
    blobBytes: (values.quick ? 4 : 32) * MIB,
    rounds: roundsOf(values.rounds),
  };
  const bench = new Bench();
  try {
    const figures = await measure(bench, settings);
    process.stdout.write(`${report(figures, settings)}\n`);
    if (values.json) process.stdout.write(`${JSON.stringify(asJson(figures, settings))}\n`);
  } finally {
    bench.stop();
  }
}

function requirePrograms(): void {
  const missing = ["docker-registry", "skopeo"].filter((name) => findProgram(name) === null);
  if (missing.length === 0) return;
  throw new Error(
    `not installed: ${missing.join(", ")} (Debian: apt-get install ${missing.join(" ")})`,
  );
}

function roundsOf(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds > 0 && rounds <= 20) return rounds;
  throw new Error(`--rounds ${text} is no count; write a whole number from 1 to 20`);
}

interface Figures {
  readonly times: Readonly<Record<Copier, readonly Timed[]>>;
  /** A second copy, with nothing to do: ms, one a round. */
  readonly againMs: readonly number[];
  /** Of a copy that was killed at half and then ended: bytes from the source beyond the artifact's. */
  readonly extra: readonly number[];
}

async function measure(bench: Bench, settings: Settings): Promise<Figures> {
  const source = await startRegistry(bench);
  progress(`filling a registry with ${BLOBS} blobs of ${settings.blobBytes / MIB} MiB`);
  await fill(source, settings.blobBytes);
  const times = { tideover: [] as Timed[], skopeo: [] as Timed[] };
  const againMs: number[] = [];
  const extra: number[] = [];
  for (let round = 0; round < settings.rounds; round += 1) {
    // In turn, and each first in every second round: what else the machine does is shared.
    const order: readonly Copier[] =
      round % 2 === 0 ? ["tideover", "skopeo"] : ["skopeo", "tideover"];
    for (const who of order) {
      const target = await startRegistry(bench);
      times[who].push(await timed(bench, who, source, target));
      progress(`round ${round + 1}: ${who} took ${shown(times[who].at(-1)?.ms ?? 0, 0)} ms`);
      if (who === "tideover") againMs.push((await timed(bench, who, source, target)).ms);
      await target.stop();
    }
    extra.push(await killedAtHalf(bench, source, settings.blobBytes * BLOBS));
    progress(`round ${round + 1}: a kill at half cost ${shown((extra.at(-1) ?? 0) / MIB)} MiB`);
  }
  return { times, againMs, extra };
}

async function fill(registry: BenchRegistry, blobBytes: number): Promise<void> {
  const store = openRegistry({ url: `http://${registry.host}/${REPOSITORY}` });
  const blobs: MadeBlob[] = [];
  for (let at = 0; at < BLOBS; at += 1) {
    const blob = blobOf(randomBytes(blobBytes));
    await store.putBlob(blob.descriptor, inParts(blob.bytes, MIB));
    // Only what names it is needed from here on.
    blobs.push({ descriptor: blob.descriptor, bytes: Buffer.alloc(0) });
  }
  await store.putBlob(EMPTY.descriptor, inParts(EMPTY.bytes));
  await store.putManifest(manifestOf(blobs), MEDIA.manifest, TAG);
  await store.close();
}

async function timed(
  bench: Bench,
  who: Copier,
  source: BenchRegistry,
  target: BenchRegistry,
): Promise<Timed> {
  const cpu = (): number => usageOf(source.pid).cpuMs + usageOf(target.pid).cpuMs;
  const before = cpu();
  const ownBefore = endedChildrenCpuMs();
  const began = performance.now();
  const { ms, code } = await endOf(startCopy(bench, who, source.host, target.host), began);
  if (code !== 0) throw new Error(`${who} ended with ${code}: ${bench.logOf(who)}`);
  return { ms, cpuMs: endedChildrenCpuMs() - ownBefore, registriesCpuMs: cpu() - before };
}

/** Counted between the source and the copy, so that nobody's own word is taken for it. */
async function killedAtHalf(bench: Bench, source: BenchRegistry, bytes: number): Promise<number> {
  const target = await startRegistry(bench);
  const relay = await countingRelay(source.host);
  const victim = startCopy(bench, "tideover", relay.host, target.host);
  relay.after(bytes / 2, () => victim.kill("SIGKILL"));
  const killed = await endOf(victim, performance.now());
  if (killed.code !== null) throw new Error("the copy ended before it could be killed");
  const { code } = await endOf(startCopy(bench, "tideover", relay.host, target.host), 0);
  if (code !== 0) throw new Error(`the copy after the kill ended: ${bench.logOf("tideover")}`);
  await relay.close();
  await target.stop();
  return Math.max(0, relay.bytes() - bytes);
}

/** skopeo's time divided by ours, round by round: our speed divided by its. */
function ratios({ times }: Figures): number[] {
  return times.tideover.map(({ ms }, round) => (times.skopeo[round]?.ms ?? Number.NaN) / ms);
}

function report(figures: Figures, settings: Settings): string {
  const bytes = BLOBS * settings.blobBytes;
  const rows = (["tideover", "skopeo"] as const).map((who) => {
    const ms = median(figures.times[who].map((one) => one.ms));
    const own = median(figures.times[who].map((one) => one.cpuMs));
    const cpu = median(figures.times[who].map((one) => one.registriesCpuMs));
    return [
      who,
      shown(ms / 1_000),
      shown(bytes / MIB / (ms / 1_000), 0),
      shown(own / 1_000),
      shown(cpu / 1_000),
    ];
  });
  const share = (100 * median(figures.extra)) / bytes;
  return [
    `our speed divided by skopeo's: ${shown(median(ratios(figures)))} (rounds: ${ratios(figures)
      .map((one) => shown(one))
      .join(", ")})`,
    "",
    `${BLOBS} blobs, ${bytes / MIB} MiB, every byte compared, from one registry to another, empty one`,
    table([["", "s", "MiB/s", "CPU s", "registries' CPU s"], ...rows]),
    "",
    `again, with nothing to do: ${shown(median(figures.againMs) / 1_000)} s`,
    `killed at half, then ended: ${shown(share)} % more bytes from the source`,
  ].join("\n");
}

function asJson(figures: Figures, settings: Settings) {
  const bytes = BLOBS * settings.blobBytes;
  const seconds = (who: Copier): number | null =>
    rounded(median(figures.times[who].map(({ ms }) => ms)) / 1_000);
  const cpuSeconds = (who: Copier): number | null =>
    rounded(median(figures.times[who].map(({ cpuMs }) => cpuMs)) / 1_000);
  return {
    ratios: { skopeo: rounded(median(ratios(figures))) },
    bytes,
    blobs: BLOBS,
    seconds: { tideover: seconds("tideover"), skopeo: seconds("skopeo") },
    cpuSeconds: { tideover: cpuSeconds("tideover"), skopeo: cpuSeconds("skopeo") },
    againSeconds: rounded(median(figures.againMs) / 1_000),
    killedAtHalfExtraShare: rounded(median(figures.extra) / bytes, 4),
    rounds: settings.rounds,
  };
}

function progress(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
