import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { makeReleaseKeys } from "../config/release-key.ts";
import { SimClock } from "../sim/clock.ts";
import { type Estate, openEstate } from "./estate.ts";
import { estateWith, signIn, trusting } from "./signed-estate.fixture.ts";
import { standaloneRelease } from "./standalone-release.ts";

/** A gateway without controllers, whose release is its folder. */

const NOW = Date.parse("2026-11-23T12:00:00Z");
const ours = await makeReleaseKeys(null);
const FILES = { "ours.pub": ours.publicKey };

function begin(estate: Estate, told: string[] = [], now = NOW) {
  const logger = { error: (_: object, message: string) => void told.push(message) };
  return standaloneRelease(estate, "eu-west", { clock: new SimClock(now), logger });
}

/** The same estate after somebody edited a prompt. */
function edited({ specPath, data }: Estate): Estate {
  const prompt = join(dirname(specPath), "release", "prompts", "assistant.md");
  writeFileSync(prompt, `${readFileSync(prompt, "utf8")}\nAnswer in full sentences.\n`);
  return openEstate({ spec: specPath, data: data.root });
}

test("a gateway alone that trusts keys does not begin with an unsigned folder", async () => {
  await assert.rejects(begin(estateWith(trusting("ours.pub"), FILES)), {
    code: "RELEASE_UNSIGNED",
    next: /tideover release sign/,
  });
});

test("it serves its signed folder, and goes on with that when the folder is edited", async () => {
  const estate = estateWith(trusting("ours.pub"), FILES);
  await signIn(estate.data.releases, estate, ours);
  const good = await begin(estate);
  assert.equal(good?.digest, estate.release?.digest);
  const told: string[] = [];
  const after = await begin(edited(estate), told);
  assert.equal(after?.digest, good?.digest);
  assert.match(told.join(), /bears no signature.*The last good release is served meanwhile/);
});

test("it begins with nothing that has expired, kept or not", async () => {
  const estate = estateWith(trusting("ours.pub"), FILES);
  await signIn(estate.data.releases, estate, ours, { expires: "2026-12-01T00:00:00Z" });
  assert.ok(await begin(estate));
  const later = Date.parse("2026-12-01T00:00:00Z");
  await assert.rejects(begin(estate, [], later), { code: "RELEASE_EXPIRED" });
});

test("without keys it serves its folder as it is, and keeps nothing", async () => {
  const estate = estateWith({ release: "./release" });
  assert.equal((await begin(estate))?.digest, estate.release?.digest);
  assert.equal(await begin({ ...estate, release: null }), null);
});
