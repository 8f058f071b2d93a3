import { generateKeyPairSync } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Evidence } from "../src/model/evidence.ts";
import { type RollbackEstate, startRollbackEstate } from "./rollback/estate.ts";
import { Bench, ROOT } from "./support/bench.ts";
import { median, rounded, table } from "./support/figures.ts";

const USAGE = `npm run bench:rollback -- [--gateways 50] [--rounds 3] [--heap 48] [--json]

Starts so many real gateway processes (one a region, MiB of heap each), activates a release in all of
them, rolls it back, and prints how long the rollback took from its decision to the last gateway's
acknowledgement. Without --gateways: 2 and 50. --json ends with one line of JSON.`;

interface Round {
  readonly gateways: number;
  /** From the decision's entry in the record to the last acknowledgement's, ms. */
  readonly acknowledgedMs: number;
  /** To the plan's end: every gateway has answered a canary with the old release. */
  readonly provenMs: number;
  /** The activation before it, region by region, without bake, ms. */
  readonly activationMs: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      gateways: { type: "string" },
      rounds: { type: "string", default: "3" },
      heap: { type: "string", default: "48" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(`${USAGE}\n`);
  const counts = values.gateways === undefined ? [2, 50] : [countOf("--gateways", values.gateways)];
  const [times, heapMiB] = [countOf("--rounds", values.rounds), countOf("--heap", values.heap)];
  const rounds: Round[] = [];
  for (const gateways of counts) rounds.push(...(await measure(gateways, times, heapMiB)));
  report(rounds);
  if (values.json) process.stdout.write(`${JSON.stringify(summary(rounds))}\n`);
}

async function measure(gateways: number, times: number, heapMiB: number): Promise<Round[]> {
  const bench = new Bench();
  try {
    process.stderr.write(`starting ${gateways} gateway processes\n`);
    const estate = await startRollbackEstate(bench, {
      gateways,
      heapMiB,
      folders: foldersIn(bench.folder),
      keys: keyPair(),
    });
    const rounds: Round[] = [];
    for (let round = 1; round <= times; round += 1) {
      rounds.push(await oneRound(estate, gateways));
      process.stderr.write(`${gateways} gateways, round ${round} of ${times}\n`);
    }
    await estate.stop();
    return rounds;
  } finally {
    bench.stop();
  }
}

async function oneRound(estate: RollbackEstate, gateways: number): Promise<Round> {
  const activation = await estate.change("activate", estate.releases[1].digest);
  const rollback = await estate.change("rollback", null);
  const [begun = 0, ended = 0] = [rollback[0]?.at, rollback.at(-1)?.at];
  return {
    gateways,
    acknowledgedMs: acknowledgedAt(rollback) - begun,
    provenMs: ended - begun,
    activationMs: (activation.at(-1)?.at ?? 0) - (activation[0]?.at ?? 0),
  };
}

function acknowledgedAt(entries: readonly Evidence[]): number {
  const entry = entries.findLast(
    ({ data }) => data.kind === "confirm-acknowledged" && data.status === "done",
  );
  if (entry === undefined) throw new Error("nobody acknowledged the rollback");
  return entry.at;
}

/** The sample estate's release, and the same with one more sentence in a prompt. */
function foldersIn(folder: string): [string, string] {
  const both: [string, string] = [join(folder, "before"), join(folder, "after")];
  for (const one of both) {
    cpSync(join(ROOT, "examples", "estate", "release"), one, { recursive: true });
  }
  const prompt = join(both[1], "prompts", "assistant.md");
  writeFileSync(prompt, `${readFileSync(prompt, "utf8")}\nAnswer in full sentences.\n`);
  return both;
}

function keyPair() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

function report(rounds: readonly Round[]): void {
  const head = ["gateways", "acknowledged ms", "proven ms", "activation before ms"];
  const rows = rounds.map(({ gateways, acknowledgedMs, provenMs, activationMs }) =>
    [gateways, acknowledgedMs, provenMs, activationMs].map(String),
  );
  process.stdout.write(`${table([head, ...rows])}\n`);
}

function summary(rounds: readonly Round[]) {
  const counts = [...new Set(rounds.map(({ gateways }) => gateways))];
  return {
    rollback: counts.map((gateways) => {
      const own = rounds.filter((round) => round.gateways === gateways);
      const acknowledged = own.map(({ acknowledgedMs }) => acknowledgedMs);
      return {
        gateways,
        rounds: own.length,
        acknowledgedMs: { median: rounded(median(acknowledged)), worst: Math.max(...acknowledged) },
        provenMs: rounded(median(own.map(({ provenMs }) => provenMs))),
        activationMs: rounded(median(own.map(({ activationMs }) => activationMs))),
      };
    }),
  };
}

function countOf(flag: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new Error(`${flag} wants a number above 0, not "${text}"\n\n${USAGE}`);
}

await main();
