import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import { openSqliteStore } from "../../src/adapters/store-sqlite/store.ts";
import { loadRelease } from "../../src/config/load-release.ts";
import { evidenceSchema } from "../../src/model/evidence.ts";
import { KEYS as STORE_KEYS } from "../../src/model/keys.ts";
import { releaseIntentSchema } from "../../src/model/release-intent.ts";
import type { Store } from "../../src/ports/store.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import { eventually, KEYS, runCommand, startSample, type TestEstate } from "../support/estate.ts";

const portOf = (address: string): string => address.replace(/^.*:/, "");

/** A running estate, its release activated, rolled back, and its controllers killed meanwhile. */

const EXAMPLE = join(dirname(fileURLToPath(import.meta.url)), "../../examples/estate/release");
const CONTROLLERS = ["127.0.0.1:7100", "127.0.0.1:7101"];
const REGIONS = ["eu-west", "us-east"];

describe("the release of a running estate", () => {
  let up: TestEstate;
  let store: Store;
  let folder: string;
  let first: string;
  let second: string;

  before(async () => {
    const release = { folder: "./release", bake: "500ms" };
    up = await startSample([
      [["controllers"], CONTROLLERS],
      [["release"], release],
    ]);
    store = openSqliteStore({ path: up.estate.data.store, clock: createSystemClock() });
    folder = join(dirname(up.estate.data.root), "next");
    cpSync(EXAMPLE, folder, { recursive: true });
    const prompt = join(folder, "prompts", "assistant.md");
    writeFileSync(prompt, `${readFileSync(prompt, "utf8")}\nAnswer in full sentences.\n`);
    first = up.estate.release?.digest ?? "";
    second = loadRelease(folder).digest;
    assert.notEqual(first, second);
  });
  after(async () => {
    await store?.close();
    await up?.stop();
  });

  const tideover = (...args: string[]) =>
    runCommand([
      "release",
      ...args,
      ...["--spec", up.estate.specPath, "--data", up.estate.data.root],
    ]);

  async function ask(region: string): Promise<Response> {
    const address = up.estate.spec.regions[region]?.gateway;
    return fetch(`http://${address}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEYS.acme}` },
      body: JSON.stringify({
        model: Object.keys(up.estate.spec.workflows)[0],
        messages: [{ role: "user", content: "How long may goods be returned?" }],
      }),
    });
  }

  async function runs(digest: string): Promise<void> {
    for (const region of REGIONS) {
      const answer = await ask(region);
      await answer.text();
      assert.deepEqual([answer.status, answer.headers.get(HEADERS.release)], [200, digest], region);
    }
  }

  async function intent() {
    return releaseIntentSchema.parse((await store.get(STORE_KEYS.releaseIntent))?.value);
  }

  it("is activated region by region by one command, and its status says so", async () => {
    await runs(first);
    const activated = await tideover("activate", folder, "--by", "a test");
    assert.equal(activated.code, 0, activated.stdout + activated.stderr);
    assert.match(activated.stdout, new RegExp(`activate of release ${second} completed`));
    await runs(second);
    const status = JSON.parse((await tideover("status", "--json")).stdout);
    assert.deepEqual(status.good, [second, first]);
    await eventually("the standby to be ready with it", async () => {
      const { workflows } = await up.control.status();
      return workflows.every(({ standbys }) => standbys.every(({ ready }) => ready === true));
    });
    await eventually("both regions to report it", async () => {
      const lines = (await tideover("status")).stdout;
      return lines.split("it serves what it shall").length === 3;
    });
  });

  it("is rolled back by one command, and the figure is in the record", async () => {
    const back = await tideover("rollback", "--by", "a test");
    assert.equal(back.code, 0, back.stdout + back.stderr);
    await runs(first);
    const entries = (await store.list(STORE_KEYS.evidences)).map(({ value }) =>
      evidenceSchema.parse(value),
    );
    const decided = entries.findLast(({ text }) => /: rollback of release /.test(text));
    const heard = entries.findLast(
      ({ text, planId }) => planId === decided?.planId && /is acknowledged by/.test(text),
    );
    assert.ok(decided && heard, "the decision and the last acknowledgement stand in the record");
    assert.deepEqual(heard.data.excused, []);
  });

  it("is known by its digest and its version, and refused when nothing would change", async () => {
    const again = await tideover("activate", first);
    assert.equal(again.code, 1);
    assert.match(again.stdout, /every region runs it already/);
    const unknown = await tideover("activate", "no-such-thing");
    assert.notEqual(unknown.code, 0);
    assert.match(unknown.stderr, /no release at no-such-thing/);
  });

  it("is activated although the leader is killed in the middle of it", async () => {
    const activating = tideover("activate", second.slice(0, 25), "--timeout", "120");
    await eventually("the first region to be changed", async () => {
      const { regions } = await intent();
      return Object.values(regions).some(({ digest }) => digest === second);
    });
    const leader = z.object({ id: z.string() }).parse((await store.get(STORE_KEYS.leader))?.value);
    // `controller-7100` listens at 127.0.0.1:7100.
    const at = up.supervisor
      .processes()
      .find(({ address }) => leader.id.endsWith(`-${portOf(address)}`));
    await up.supervisor.killProcess(at?.name ?? assert.fail(`${leader.id} has no process`));
    const { code, stdout, stderr } = await activating;
    assert.equal(code, 0, stdout + stderr);
    await runs(second);
    assert.equal((await intent()).heldBy, null);
  });
});
