import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { EXIT } from "../../src/cli/exit-codes.ts";
import { loadRelease } from "../../src/config/load-release.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import { eventually, KEYS, runCommand, startSample, type TestEstate } from "../support/estate.ts";

/**
 * A running estate moves to other vectors while callers ask all the time: built beside, activated, taken
 * back, dropped.
 */

const EXAMPLE = join(dirname(fileURLToPath(import.meta.url)), "../../examples/estate/release");
const WORKFLOW = "support-search";
const OLD = "meridian-lexical-2026-01";
const NEXT = `${OLD}@second`;
/** As much as one tenant may ask one gateway in a minute is twenty a second. */
const PAUSE_MS = 100;

describe("an index that moves to another embedding version under load", () => {
  let up: TestEstate;
  let folder: string;
  let next: string;
  /** Releases that answered, in order, and what was no whole answer. */
  const releases: (string | null)[] = [];
  const wrong: string[] = [];
  let over = false;
  let load: Promise<unknown>;

  before(async () => {
    up = await startSample([[["release"], { folder: "./release", bake: "200ms" }]]);
    folder = join(dirname(up.estate.data.root), "next");
    cpSync(EXAMPLE, folder, { recursive: true });
    const file = join(folder, "release.yaml");
    const yaml = readFileSync(file, "utf8").replace('"1.0.0"', '"2.0.0"');
    writeFileSync(file, yaml.replace("dimensions: 768", "dimensions: 768\n  generation: second"));
    next = loadRelease(folder).digest;
    load = Promise.all(Object.keys(up.estate.spec.regions).map(askAllTheTime));
  });
  after(async () => {
    over = true;
    await load;
    await up?.stop();
  });

  async function askAllTheTime(region: string): Promise<void> {
    for (; !over; await setTimeout(PAUSE_MS)) {
      const address = up.estate.spec.regions[region]?.gateway;
      const answer = await fetch(`http://${address}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${KEYS.acme}` },
        body: JSON.stringify({
          model: WORKFLOW,
          messages: [{ role: "user", content: "How long may goods be returned?" }],
        }),
      });
      const body = await answer.text();
      releases.push(answer.headers.get(HEADERS.release));
      const mode = answer.headers.get(HEADERS.mode);
      const hasDocuments = answer.headers.get(HEADERS.watermark) !== null;
      if (answer.status === 200 && mode === "normal" && hasDocuments) continue;
      wrong.push(`${region}: ${answer.status} ${mode} ${body.slice(0, 200)}`);
    }
  }

  const tideover = (...args: string[]) =>
    runCommand([...args, "--spec", up.estate.specPath, "--data", up.estate.data.root]);

  async function succeeds(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await tideover(...args);
    assert.equal(code, 0, `${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  }

  async function asks(digest: string | undefined): Promise<void> {
    const from = releases.length;
    await eventually("all callers to be answered with that release", async () => {
      const newest = releases.slice(from).slice(-4);
      return newest.length === 4 && newest.every((one) => one === digest);
    });
  }

  it("refuses a release whose vectors there are not, before anything is changed", async () => {
    const { code, stdout, stderr } = await tideover("release", "activate", folder);
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /index handbook is not yet whole as .*@second/);
    assert.match(stdout + stderr, /tideover index reindex/);
    await asks(up.estate.release?.digest);
  });

  it("builds them beside the old ones, and shows both in both regions", async () => {
    const told = JSON.parse(await succeeds("index", "reindex", "--release", folder, "--json"));
    assert.deepEqual([told.work, told.embedding, told.error], ["build", NEXT, null]);
    assert.match(told.accepted, /contents: all \d+ records are what was written/);
    const both = `has vectors of ${OLD} (answers), ${NEXT} (answers)`;
    await eventually("the replica to have them", async () => {
      const { stdout } = await tideover("index", "status");
      return stdout.split("\n").filter((line) => line.includes(both)).length === 2;
    });
  });

  it("asks with them from the release's activation on, and with the old ones after a rollback", async () => {
    await succeeds("release", "activate", folder, "--by", "a test");
    await asks(next);
    const kept = await tideover("index", "reindex", "--drop", NEXT);
    assert.equal(kept.code, EXIT.usage);
    assert.match(kept.stderr, /asks with .*@second/);
    await succeeds("release", "rollback", "--by", "a test");
    await asks(up.estate.release?.digest);
  });

  it("drops what nobody asks with", async () => {
    const dropped = await succeeds("index", "reindex", "--drop", NEXT);
    assert.match(dropped, /no record has a vector of .*@second any more/);
    await asks(up.estate.release?.digest);
  });

  it("has answered every question with its sources all the while", () => {
    assert.deepEqual(wrong, []);
    assert.ok(releases.length > 50, `${releases.length}`);
  });
});
