import { parseArgs } from "node:util";
import { type SoakReport, soak } from "./soak.ts";

const USAGE = `npm run soak -- [--minutes 60] [--rate 20] [--seed 1] [--json]

Two gateways under load before upstreams that fail in every way, for an hour. Ends with 0 when every
request got one whole, right answer or a clear error in time, and memory and descriptors are flat.
Ctrl-C ends the load early and judges what was seen.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "60" },
      seconds: { type: "string" },
      rate: { type: "string", default: "20" },
      seed: { type: "string", default: String(Date.now() % 100_000) },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const seconds =
    values.seconds === undefined
      ? 60 * numberOf("--minutes", values.minutes)
      : numberOf("--seconds", values.seconds);
  const seed = numberOf("--seed", values.seed);
  tell(`seed ${seed}: the faults are drawn in the same order with --seed ${seed}`);
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());
  const perSecond = numberOf("--rate", values.rate);
  const report = await soak({
    seed,
    ms: seconds * 1_000,
    perSecond,
    tell,
    signal: stopping.signal,
  });
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : `${textOf(report)}\n`);
  return report.failures.length === 0 ? 0 : 1;
}

function numberOf(flag: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${flag} ${text} is no number above 0`);
}

function textOf(report: SoakReport): string {
  const { seed, seconds, outcomes, faults, slowestMs, allowedMs, gateways, failures } = report;
  const held = gateways.flatMap(heldBy);
  return [
    `seed ${seed}, ${Math.round(seconds)} s`,
    `requests: ${told(outcomes)}; the slowest took ${Math.round(slowestMs)} of ${allowedMs} ms`,
    `faults: ${told(faults)}`,
    ...held,
    ...(failures.length === 0 ? ["passed"] : failures.map((failure) => `FAILED: ${failure}`)),
  ].join("\n");
}

function heldBy(one: SoakReport["gateways"][number]): string[] {
  const { idle, most, after } = one.descriptors;
  return [
    `${one.region}: ${grown(one)} over ${one.samples} samples, ${Math.round(one.mostMiB)} MiB at most`,
    `  lives after a collection: ${grown(one.heap)} over ${one.heap.collections}; allowed: ${one.allowed}`,
    `  descriptors: ${idle} idle, ${most} at most, ${after} after; ${Math.round(100 * one.cpuShare)} % of a core`,
    `  its log tells ${one.errors.length} errors ${one.errors[0]?.slice(-200) ?? ""}`.trimEnd(),
  ];
}

type Grown = SoakReport["gateways"][number]["heap"];

function grown({ firstMiB, lastMiB, growthMiBPerHour }: Omit<Grown, "collections">): string {
  return `${firstMiB.toFixed(1)} to ${lastMiB.toFixed(1)} MiB after the warm-up, ${growthMiBPerHour.toFixed(1)} MiB/h`;
}

function told(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}

function tell(line: string): void {
  process.stderr.write(`soak: ${line}\n`);
}

main().then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
