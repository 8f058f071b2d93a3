import { parseArgs } from "node:util";
import { benchHotSubset } from "./index/hot-subset.ts";
import { benchLag } from "./index/lag.ts";
import type { IndexBench, Part } from "./index/part.ts";
import { measureReconcile } from "./index/reconcile.ts";
import { benchRestore } from "./index/restore.ts";
import { Bench } from "./support/bench.ts";

const USAGE = `npm run bench:index -- [--quick] [--only PART] [--json]

Measures what the indexes promise, on real files and over real sockets of this machine:
  reconcile  what it takes to find and mend 1 and 100 differences among a million vectors, how that
             grows, and what a plain list of all ids and digests would take.
  lag        how far a replica is behind its owner at 500 upserts a second, both being processes,
             and how fast it catches up from ten minutes behind.
  restore    how fast a snapshot on disk becomes an index, every byte and every record compared.
  hotSubset  how soon the part that callers ask for answers, and how often rightly.
--quick: a tenth of the records. --json ends with one line of JSON.`;

/** One file a part; each gives the object that stands under its name in the line of JSON. */
const PARTS: Readonly<Record<string, Part>> = {
  reconcile: measureReconcile,
  lag: benchLag,
  restore: benchRestore,
  hotSubset: benchHotSubset,
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(`${USAGE}\n`);
  const bench = new Bench();
  const given: IndexBench = {
    folder: bench.folder,
    quick: values.quick,
    tell: (line) => void process.stderr.write(`${line}\n`),
    print: (text) => void process.stdout.write(`${text}\n`),
  };
  const summary: Record<string, object | null> = {};
  try {
    for (const [name, part] of Object.entries(PARTS)) {
      const wanted = values.only === undefined || values.only === name;
      summary[name] = wanted ? await part(given) : null;
    }
  } finally {
    bench.stop();
  }
  if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
}

await main();
