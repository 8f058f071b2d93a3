import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, mock, test } from "node:test";
import { Faults } from "./faults.ts";
import type { ProcessView } from "./supervisor.ts";
import { tempFolder } from "./temp-data.fixture.ts";

const folder = tempFolder();
let told: string[];
let file: string;
let recorded: () => Record<string, unknown>;
let startFails: boolean;
let faults: Faults;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  const root = mkdtempSync(join(folder, "estate-"));
  file = join(root, "faults.json");
  recorded = () => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {});
  told = [];
  startFails = false;
  faults = new Faults(
    {
      processes: () => [
        ...["eu-west", "us-east"].map((region) => viewOf(region)),
        ...["one", "two"].map((target) => viewOf("eu-west", `runtime:eu-west:${target}`)),
      ],
      killRegion: async (region) => {
        // What a crash in the very next moment would leave behind.
        told.push(`kill ${region}, recorded ${Object.keys(recorded())}`);
      },
      killProcess: async (name) => {
        told.push(`kill ${name}, recorded ${Object.keys(recorded())}`);
      },
      startRegion: async (region) => {
        told.push(`start ${region}`);
        if (startFails) throw new Error("a port is taken");
      },
    },
    { root },
  );
});

function viewOf(region: string, name = `gateway:${region}`): ProcessView {
  return { name, region, address: "", pid: 1, state: "running", ended: null };
}

test("the undo is written down before the fault, and gone once it is undone", async () => {
  await faults.killRegion("eu-west", 60_000);
  assert.deepEqual(told, ["kill eu-west, recorded eu-west"]);
  assert.deepEqual(recorded(), { "eu-west": { fault: "killed", restoreAfterMs: 60_000 } });
  await faults.restore("eu-west");
  assert.deepEqual([told.at(-1), recorded()], ["start eu-west", {}]);
});

test("a region's models alone are killed, all of them, and come back in the same way", async () => {
  await faults.killModels("eu-west", 60_000);
  assert.deepEqual(told, [
    "kill runtime:eu-west:one, recorded eu-west",
    "kill runtime:eu-west:two, recorded eu-west",
  ]);
  assert.deepEqual(recorded(), { "eu-west": { fault: "models killed", restoreAfterMs: 60_000 } });
  mock.timers.tick(60_000);
  assert.equal(told.at(-1), "start eu-west");
  await assert.rejects(faults.killModels("us-east", 1), /no model of region "us-east" runs here/);
});

test("a region that nobody mends comes back by itself, in time and once", async () => {
  await faults.killRegion("eu-west", 60_000);
  mock.timers.tick(59_999);
  assert.equal(told.length, 1);
  mock.timers.tick(1);
  assert.equal(told.at(-1), "start eu-west");
  mock.timers.tick(600_000);
  assert.equal(told.length, 2);
});

test("no fault stays longer than ten minutes, whatever was asked for", async () => {
  await faults.killRegion("eu-west", Number.MAX_SAFE_INTEGER);
  assert.deepEqual(recorded(), { "eu-west": { fault: "killed", restoreAfterMs: 600_000 } });
  mock.timers.tick(600_000);
  assert.equal(told.at(-1), "start eu-west");
});

test("a region that was mended is not started again behind anybody's back", async () => {
  await faults.killRegion("eu-west", 60_000);
  await faults.restore("eu-west");
  mock.timers.tick(600_000);
  assert.equal(told.filter((line) => line === "start eu-west").length, 1);
});

test("a second fault of a region begins its time anew", async () => {
  await faults.killRegion("eu-west", 10_000);
  mock.timers.tick(9_000);
  await faults.killRegion("eu-west", 10_000);
  mock.timers.tick(9_999);
  assert.equal(told.includes("start eu-west"), false);
  mock.timers.tick(1);
  assert.equal(told.at(-1), "start eu-west");
});

test("faults of two regions are undone each by itself", async () => {
  await faults.killRegion("eu-west", 10_000);
  await faults.killRegion("us-east", 20_000);
  await faults.restore("eu-west");
  assert.deepEqual(Object.keys(recorded()), ["us-east"]);
  mock.timers.tick(20_000);
  assert.deepEqual(told.slice(-2), ["start eu-west", "start us-east"]);
});

test("a region that does not come back keeps its record, and whoever asked is told", async () => {
  await faults.killRegion("eu-west", 60_000);
  startFails = true;
  await assert.rejects(faults.restore("eu-west"), /a port is taken/);
  assert.deepEqual(Object.keys(recorded()), ["eu-west"]);
});

test("a dead-man's restore that fails ends nothing else", async () => {
  await faults.killRegion("eu-west", 1_000);
  startFails = true;
  mock.timers.tick(1_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(Object.keys(recorded()), ["eu-west"]);
});

test("a region that does not run here is refused, and nothing is armed or written", async () => {
  await assert.rejects(faults.killRegion("mars", 1_000), {
    code: "NOT_FOUND",
    message: 'no process of region "mars" runs here',
  });
  mock.timers.tick(600_000);
  assert.deepEqual([told, existsSync(file)], [[], false]);
});

test("when the estate stops, nothing is started any more and no record is left", async () => {
  await faults.killRegion("eu-west", 1_000);
  faults.disarm();
  mock.timers.tick(600_000);
  assert.deepEqual([told.length, existsSync(file)], [1, false]);
  faults.disarm();
});

test("a record that was torn by a crash does not keep a region from being mended", async () => {
  writeFileSync(file, '{"eu-west":');
  await faults.restore("eu-west");
  assert.deepEqual([told, recorded()], [["start eu-west"], {}]);
});
