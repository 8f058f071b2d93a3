import { parseArgs } from "node:util";
import {
  type Contender,
  direct,
  type Name,
  type Start,
  startUpstream,
  type Upstream,
} from "./contenders/contender.ts";
import { haproxy } from "./contenders/haproxy.ts";
import { nginx } from "./contenders/nginx.ts";
import { passThrough } from "./contenders/pass-through.ts";
import { portkey } from "./contenders/portkey.ts";
import { tideover } from "./contenders/tideover.ts";
import {
  measureHeld,
  measureLatency,
  measureStreams,
  measureThroughput,
} from "./gateway/measure.ts";
import { jsonLine, type Measured, report } from "./gateway/report.ts";
import { FULL, QUICK, type Sizes } from "./gateway/sizes.ts";
import { Load } from "./load/client.ts";
import { Bench } from "./support/bench.ts";

const USAGE = `npm run bench:gateway -- [--quick] [--json] [--only tideover,passThrough,…] [--workers N]

Compares Tideover's gateway with a bare pass-through, HAProxy, nginx and Portkey (those that are
there) in front of one fast upstream, and prints ratios first. --json ends with one line of JSON.
--workers gives Tideover several threads; it then has no core of its own, and on few cores it shares
them with the load.`;

type Starts = Readonly<Record<Name, Start>>;

function startsOf(workers: number): Starts {
  return { direct, tideover: tideover(workers), passThrough, haproxy, nginx, portkey };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      only: { type: "string" },
      workers: { type: "string", default: "1" },
    },
  });
  if (values.help) return void process.stdout.write(`${USAGE}\n`);
  const bench = new Bench();
  try {
    const starts = startsOf(workersOf(values.workers));
    const wanted = chosen(starts, values.only);
    const measured = await run(bench, values.quick ? QUICK : FULL, starts, wanted);
    process.stdout.write(`${report(measured)}\n`);
    if (values.json) process.stdout.write(`${jsonLine(measured)}\n`);
  } finally {
    bench.stop();
  }
}

/** Who is measured. `direct` and Tideover always are: everything else is compared with them. */
function chosen(starts: Starts, only: string | undefined): readonly string[] {
  const names = Object.keys(starts);
  if (only === undefined) return names;
  const wanted = only.split(",").map((name) => name.trim());
  const stranger = wanted.find((name) => !names.includes(name));
  if (stranger !== undefined)
    throw new Error(`--only ${stranger}: no such contender; write some of ${names.join(", ")}`);
  return names.filter((name) => ["direct", "tideover", ...wanted].includes(name));
}

function workersOf(text: string): number {
  const count = /^[1-9]\d?$/.test(text) ? Number(text) : 0;
  if (count === 0) throw new Error(`--workers ${text}: write a number of threads, from 1`);
  return count;
}

async function run(
  bench: Bench,
  sizes: Sizes,
  starts: Starts,
  wanted: readonly string[],
): Promise<Measured> {
  const upstream = await startUpstream(bench);
  const { contenders, absent } = await startAll(bench, upstream, starts, wanted);
  const load = await Load.start(bench);
  progress(`cores: ${bench.cores.why}`);
  progress(`requests/s: ${sizes.rounds} alternating rounds of ${sizes.roundMs} ms`);
  const throughput = await measureThroughput(load, contenders, sizes);
  progress("latency at fixed rates");
  const latency = await measureLatency(load, contenders, throughput, sizes);
  progress("first token and gaps");
  const streams = await measureStreams(load, contenders, sizes);
  progress(`${sizes.held} open streams`);
  const again = (name: Name): Promise<Contender> => starts[name](bench, upstream);
  const held = await measureHeld(load, contenders, again, sizes);
  return { cores: bench.cores.why, sizes, contenders, absent, throughput, latency, streams, held };
}

/** Peers that cannot be had are left out, with the reason; without Tideover there is no benchmark. */
async function startAll(
  bench: Bench,
  upstream: Upstream,
  starts: Starts,
  wanted: readonly string[],
) {
  const contenders: Contender[] = [];
  const absent: Record<string, string> = {};
  for (const [name, start] of Object.entries(starts)) {
    if (!wanted.includes(name)) continue;
    try {
      contenders.push(await start(bench, upstream));
    } catch (error) {
      if (name === "tideover") throw error;
      absent[name] = error instanceof Error ? error.message : String(error);
      progress(`${name} is left out: ${absent[name]}`);
    }
  }
  return { contenders, absent };
}

function progress(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

main().then(
  // An open connection to a gateway that was killed must not hold the process.
  () => process.exit(0),
  (error) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
