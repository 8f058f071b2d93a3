import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startUpstream } from "./contenders/contender.ts";
import { startTideover } from "./contenders/tideover.ts";
import { Load } from "./load/client.ts";
import { Bench } from "./support/bench.ts";
import { table } from "./support/figures.ts";

/**
 * Where the gateway's processor time goes under load: `node bench/profile.ts [streams]` prints the
 * functions and files that it is spent in, of whole answers or of streams.
 */

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly children?: readonly number[];
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const SHOWN = 45;

async function main(): Promise<void> {
  const bench = new Bench();
  const folder = join(bench.folder, "profile");
  const flags = ["--cpu-prof", `--cpu-prof-dir=${folder}`, "--cpu-prof-interval=500"];
  try {
    const upstream = await startUpstream(bench);
    const { contender, child } = await startTideover(bench, upstream, flags);
    const load = await Load.start(bench);
    const { aim } = contender;
    if (process.argv[2] === "streams") {
      await load.streams({ aim, atOnce: 64, each: 20, events: 50, gapMs: 5 });
    } else {
      await load.closed({ aim, connections: 32, forMs: 8_000 });
    }
    child.kill("SIGTERM");
    await once(child, "exit");
    const [file] = readdirSync(folder);
    if (file === undefined) throw new Error("node wrote no profile");
    print(JSON.parse(readFileSync(join(folder, file), "utf8")));
  } finally {
    bench.stop();
  }
}

/**
 * Three rankings: by our own function, with what it called of others (so that an AbortSignal is
 * charged to whoever made it); by function alone; and by function with all that it called.
 */
function print(profile: Profile): void {
  const stacks = stacksOf(profile);
  const charged = new Map<string, number>();
  const alone = new Map<string, number>();
  const withCalled = new Map<string, number>();
  const add = (costs: Map<string, number>, name: string, us: number) =>
    costs.set(name, (costs.get(name) ?? 0) + us);
  let total = 0;
  let idle = 0;
  for (const [at, id] of profile.samples.entries()) {
    const [own, ...callers] = stacks.get(id) ?? [];
    const us = profile.timeDeltas[at] ?? 0;
    if (own === undefined) continue;
    if (own.name === "(idle)") {
      idle += us;
      continue;
    }
    total += us;
    const ours = [own, ...callers].find(({ file }) => file.startsWith("src/"));
    add(charged, ours?.label ?? `nobody of ours: ${callers.at(-2)?.label ?? own.label}`, us);
    add(alone, own.label, us);
    // A function that is on the stack twice is there once.
    const labels = new Set([own, ...callers].map(({ label }) => label));
    for (const label of labels) add(withCalled, label, us);
  }
  const busy = ((total * 100) / (total + idle)).toFixed(0);
  process.stdout.write(`main thread busy ${busy} % of the time; shares are of its busy time\n\n`);
  for (const costs of [charged, alone, withCalled])
    process.stdout.write(`${ranking(costs, total)}\n\n`);
}

interface Frame {
  readonly name: string;
  readonly file: string;
  readonly label: string;
}

/** Each node's frames, the innermost first. */
function stacksOf({ nodes }: Profile): ReadonlyMap<number, readonly Frame[]> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const stacks = new Map<number, readonly Frame[]>();
  const visit = (id: number, callers: readonly Frame[]): void => {
    const node = byId.get(id);
    if (node === undefined) return;
    const { functionName: name, url, lineNumber } = node.callFrame;
    const file = shortened(url);
    const label = `${name || "(anonymous)"} ${file}:${lineNumber + 1}`;
    const stack = [{ name, file, label }, ...callers];
    stacks.set(id, stack);
    for (const child of node.children ?? []) visit(child, stack);
  };
  const [root] = nodes;
  if (root !== undefined) visit(root.id, []);
  return stacks;
}

function shortened(url: string): string {
  return url.replace(/^file:\/\//, "").replace(/^.*\/(?=(src|node_modules)\/)/, "") || "(native)";
}

function ranking(costs: ReadonlyMap<string, number>, total: number): string {
  const ranked = [...costs].sort(([, a], [, b]) => b - a).slice(0, SHOWN);
  return table(ranked.map(([name, us]) => [name, `${((us * 100) / total).toFixed(1)} %`]));
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`profile: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
