import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { dataDirAt } from "../app/data-dir.ts";
import { lockEstate } from "../app/lock.ts";
import { runningEstate, specifiedEstate, withEstateOptions } from "./options.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/gateway-only.yaml", import.meta.url));
const home = process.cwd();
const root = realpathSync(mkdtempSync(join(tmpdir(), "tideover-options-")));

/** Each test stands in an empty folder of its own. */
beforeEach(() => {
  for (const name of ["TIDEOVER_SPEC", "TIDEOVER_DATA"]) delete process.env[name];
  process.chdir(mkdtempSync(join(root, "here-")));
});
afterEach(() => process.chdir(home));
after(() => rmSync(root, { recursive: true, force: true }));

/** A spec of this name at a path; gives the path. */
function spec(path: string, estate: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    readFileSync(EXAMPLE, "utf8").replace("estate: gateway-only", `estate: ${estate}`),
  );
  return path;
}

/** What a supervisor leaves in the data folder of an estate that is up: here a copy of the spec. */
function up(data: string, estate: string): string {
  const copy = spec(join(data, "estate", "tideover.yaml"), estate);
  const address = { url: "http://127.0.0.1:1", token: "t", spec: join(process.cwd(), copy) };
  writeFileSync(join(data, "supervisor.json"), JSON.stringify(address));
  lockEstate(dataDirAt(data));
  return address.spec;
}

const here = (...path: string[]) => join(process.cwd(), ...path);
const found = (flags: Parameters<typeof runningEstate>[0] = {}) => {
  const { spec: read, specPath, data } = runningEstate(flags);
  return [read.estate, specPath, data.root];
};

test("nothing is named and nothing is here: the spec that is missing is named", () => {
  assert.throws(() => runningEstate({}), {
    code: "SPEC_MISSING",
    message: `There is no spec at ${here("tideover.yaml")}.`,
  });
});

test("without a spec here, the one estate that is up here is meant", () => {
  const copy = up(".tideover/one", "one");
  // A folder of an estate that was stopped, and a stray file, are no estates that are up.
  mkdirSync(".tideover/stopped");
  writeFileSync(".tideover/notes.txt", "");
  assert.deepEqual(found(), ["one", copy, here(".tideover", "one")]);
});

test("with two that are up here, none is guessed: they are listed", () => {
  up(".tideover/one", "one");
  up(".tideover/two", "two");
  assert.throws(() => runningEstate({}), {
    code: "USAGE",
    message: "2 estates are up here",
    next: "Name one with --data: .tideover/one, .tideover/two.",
  });
  assert.deepEqual(found({ data: ".tideover/two" })[0], "two");
});

test("the spec here is meant before what is up here; while it is up, as it runs", () => {
  spec("tideover.yaml", "mine");
  up(".tideover/other", "other");
  assert.deepEqual(found(), ["mine", here("tideover.yaml"), here(".tideover", "mine")]);
  // With --free-ports a copy runs: the ports of the original would be somebody else's.
  const copy = up(".tideover/mine", "mine");
  assert.deepEqual(found(), ["mine", copy, here(".tideover", "mine")]);
});

test("--data alone means the estate that runs there, and not the spec that lies here", () => {
  spec("tideover.yaml", "mine");
  const copy = up("elsewhere", "other");
  assert.deepEqual(found({ data: "elsewhere" }), ["other", copy, here("elsewhere")]);
});

test("--data of nothing that runs takes the spec here, with that folder", () => {
  spec("tideover.yaml", "mine");
  const wanted = ["mine", here("tideover.yaml"), here("elsewhere")];
  assert.deepEqual(found({ data: "elsewhere" }), wanted);
});

test("--spec names the estate; what runs in its folder is asked as it runs", () => {
  spec("tideover.yaml", "mine");
  const other = spec("specs/other.yaml", "other");
  assert.deepEqual(found({ spec: other }), ["other", here(other), here(".tideover", "other")]);
  const copy = up(".tideover/other", "other");
  assert.deepEqual(found({ spec: other }), ["other", copy, here(".tideover", "other")]);
  const copyElsewhere = up("elsewhere", "other");
  const named = found({ spec: other, data: "elsewhere" });
  assert.deepEqual(named, ["other", copyElsewhere, here("elsewhere")]);
});

test("an empty value is none, as in a shell: not the present folder", () => {
  spec("tideover.yaml", "mine");
  assert.deepEqual(found({ spec: "", data: "" }), found());
  assert.equal(specifiedEstate({ spec: "", data: "" }).data.root, here(".tideover", "mine"));
});

test("what a killed supervisor left behind is no estate that is up", () => {
  up(".tideover/mine", "mine");
  rmSync(".tideover/mine/estate.lock");
  assert.throws(() => runningEstate({}), { code: "SPEC_MISSING" });
});

test("a torn note of the supervisor is no estate that is up", () => {
  spec("tideover.yaml", "mine");
  mkdirSync(".tideover/mine", { recursive: true });
  writeFileSync(".tideover/mine/supervisor.json", '{"url":');
  assert.equal(found()[1], here("tideover.yaml"));
});

test("what starts something takes the file as it says, whatever runs", () => {
  spec("tideover.yaml", "mine");
  up(".tideover/mine", "mine");
  const { specPath, data } = specifiedEstate({});
  assert.deepEqual([specPath, data.root], [here("tideover.yaml"), here(".tideover", "mine")]);
  assert.throws(() => specifiedEstate({ spec: "nowhere.yaml" }), { code: "SPEC_MISSING" });
});

test("a flag is stronger than its variable, which is stronger than nothing", () => {
  const flagsOf = (...words: string[]) =>
    withEstateOptions(new Command("x"))
      .parse(["node", "x", ...words])
      .opts();
  assert.deepEqual(flagsOf(), {});
  process.env.TIDEOVER_SPEC = "from-the-environment.yaml";
  process.env.TIDEOVER_DATA = "folder";
  assert.deepEqual(flagsOf("--spec", "flag.yaml"), { spec: "flag.yaml", data: "folder" });
  assert.deepEqual(flagsOf("-d", "d"), { spec: "from-the-environment.yaml", data: "d" });
});
