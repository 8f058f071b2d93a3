import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { openLayout } from "../../src/adapters/artifacts-layout/layout.ts";
import { openRegistry } from "../../src/adapters/artifacts-registry/registry.ts";
import type { Estate } from "../../src/app/estate.ts";
import { artifactStatusSchema } from "../../src/model/artifact-status.ts";
import type { ArtifactStore } from "../../src/ports/artifacts.ts";
import { keptTag } from "../../src/region/artifacts/copy.ts";
import { digestOfBytes, putSample, readAll } from "../support/artifacts.ts";
import { type CountingRelay, countingRelay } from "../support/counting-relay.ts";
import { absent, type LocalRegistry, startRegistry } from "../support/docker-registry.ts";
import { eventually, removeEstate, sampleEstate } from "../support/estate.ts";
import { type Command, run, start } from "../support/processes.ts";

const SIZE = 5_000_000;
const TIMES = 4;

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tideover-artifacts-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

type Sample = Awaited<ReturnType<typeof putSample>>;

/** Every byte of a sample, as another place has it. */
async function assertWhole(store: ArtifactStore, tag: string, sample: Sample): Promise<void> {
  assert.equal((await store.manifest(tag))?.digest, sample.digest);
  for (const bytes of [...sample.manifests, sample.index]) {
    assert.deepEqual((await store.manifest(digestOfBytes(bytes)))?.bytes, bytes);
  }
  for (const { descriptor, bytes } of sample.blobs) {
    assert.ok((await readAll(store.blob(descriptor))).equals(bytes), descriptor.digest);
  }
  const referrers = (await store.referrers(sample.digest)).map(({ digest }) => digest);
  assert.deepEqual(referrers, [sample.signature, sample.sbom].sort());
}

describe("a copy that is killed", { skip: absent("docker-registry") }, () => {
  let from: LocalRegistry;
  let relay: CountingRelay;
  let sample: Sample;
  let bytes = 0;

  before(async () => {
    from = await startRegistry();
    relay = await countingRelay(from.host, 15);
    const store = openRegistry({ url: `http://${from.host}/team/app` });
    sample = await putSample(store, "v1", SIZE);
    bytes = sample.blobs.reduce((sum, blob) => sum + blob.bytes.length, 0);
    await store.close();
  });
  after(async () => {
    await relay.close();
    await from.stop();
  });

  /** Kills the copy at random points until it has been killed often enough, then lets it end. */
  async function killedCopies(to: string): Promise<number> {
    const before = relay.bytes();
    const args = ["artifacts", "copy", `http://${relay.host}/team/app:v1`, to, "--json"];
    let kills = 0;
    for (let turn = 0; turn < TIMES; turn += 1) {
      const command = start(args);
      relay.after(Math.ceil((Math.random() * bytes) / TIMES), () => command.signal("SIGKILL"));
      const { code } = await command.result;
      if (code === null) kills += 1;
    }
    relay.after(Number.MAX_SAFE_INTEGER, () => undefined);
    const { code, stdout, stderr } = await run(args);
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).digest, sample.digest);
    assert.ok(kills > 0, "no copy was killed");
    return relay.bytes() - before;
  }

  test("into a folder: goes on, is whole, and asks for hardly a byte twice", async (t) => {
    const folder = join(folderFor(t), "layout");
    const moved = await killedCopies(folder);
    const store = openLayout({ folder });
    await assertWhole(store, "v1", sample);
    await store.close();
    // What was on its way when it died: sockets' and writers' buffers of four blobs, each time.
    const lost = moved - bytes;

    assert.ok(lost < TIMES * 4_000_000, `${lost} bytes more than the ${bytes} of the artifact`);
    assert.deepEqual(readdirSync(join(folder, ".tideover", "partial")), []);
  });

  test("into a registry: goes on, and is whole", async (t) => {
    const to = await startRegistry();
    t.after(() => to.stop());
    await killedCopies(`http://${to.host}/team/app:v1`);
    const store = openRegistry({ url: `http://${to.host}/team/app` });
    await assertWhole(store, "v1", sample);
    await store.close();
  });
});

const exec = promisify(execFile);

/** Without any user's settings: policies and credentials of this machine are none of the tests'. */
function skopeo(folder: string, ...args: readonly string[]) {
  const policy = join(folder, "policy.json");
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const env = { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder };
  return exec("skopeo", ["--policy", policy, ...args], { env });
}

const PLAIN = ["--src-tls-verify=false", "--dest-tls-verify=false"];

describe("with skopeo", { skip: absent("docker-registry", "skopeo") }, () => {
  let one: LocalRegistry;
  let two: LocalRegistry;
  before(async () => {
    [one, two] = await Promise.all([startRegistry(), startRegistry()]);
  });
  after(() => Promise.all([one.stop(), two.stop()]));

  test("what Tideover writes as a layout, skopeo pushes; what it pushes, Tideover pulls", async (t) => {
    const folder = folderFor(t);
    const layout = openLayout({ folder: join(folder, "ours") });
    const sample = await putSample(layout, "v1", 100_000);
    await layout.close();
    const there = `docker://${one.host}/ours/app:v1`;
    await skopeo(
      folder,
      "copy",
      "--all",
      "--preserve-digests",
      ...PLAIN.slice(1),
      `oci:${folder}/ours:v1`,
      there,
    );
    const back = join(folder, "back");
    const copied = await run([
      "artifacts",
      "copy",
      `http://${one.host}/ours/app:v1`,
      back,
      "--json",
    ]);
    assert.equal(copied.code, 0, copied.stderr);
    assert.equal(JSON.parse(copied.stdout).digest, sample.digest);
    const index = readFileSync(join(back, "blobs", ...sample.digest.split(":")));
    assert.deepEqual(index, sample.index);
  });

  test("what Tideover copies between registries, skopeo finds whole and signed", async (t) => {
    const folder = folderFor(t);
    const store = openRegistry({ url: `http://${one.host}/pair/app` });
    const sample = await putSample(store, "v1", 100_000);
    await store.close();
    const [from, to] = [`http://${one.host}/pair/app:v1`, `http://${two.host}/other/name`];
    const copied = await run(["artifacts", "copy", from, to]);
    assert.equal(copied.code, 0, copied.stderr);
    const { stdout } = await skopeo(
      folder,
      ...["inspect", "--raw", "--tls-verify=false", `docker://${two.host}/other/name:v1`],
    );
    assert.equal(digestOfBytes(Buffer.from(stdout)), sample.digest);
    const tag = `${sample.digest.replace(":", "-")}.sig`;
    const signature = await skopeo(
      folder,
      ...["inspect", "--raw", "--tls-verify=false", `docker://${two.host}/other/name:${tag}`],
    );
    assert.equal(digestOfBytes(Buffer.from(signature.stdout)), sample.signature);
    // skopeo reads every byte of it, and compares it as well.
    const pulled = `oci:${folder}/pulled:v1`;
    const source = `docker://${two.host}/other/name:v1`;
    await skopeo(
      folder,
      "copy",
      "--all",
      "--preserve-digests",
      "--src-tls-verify=false",
      source,
      pulled,
    );
    const layout = openLayout({ folder: join(folder, "pulled") });
    assert.equal((await layout.manifest("v1"))?.digest, sample.digest);
    for (const { descriptor, bytes } of sample.blobs) {
      assert.ok((await readAll(layout.blob(descriptor))).equals(bytes));
    }
    await layout.close();
  });

  test("a layout that skopeo wrote is added to, and skopeo still reads both", async (t) => {
    const folder = folderFor(t);
    const store = openRegistry({ url: `http://${one.host}/mixed/app` });
    const samples = [await putSample(store, "v1", 5_000), await putSample(store, "v2", 5_000)];
    await store.close();
    const mixed = join(folder, "mixed");
    const from = (tag: string): string => `docker://${one.host}/mixed/app:${tag}`;
    await skopeo(
      folder,
      "copy",
      "--all",
      "--preserve-digests",
      "--src-tls-verify=false",
      from("v1"),
      `oci:${mixed}:v1`,
    );
    const added = await run(["artifacts", "copy", `http://${one.host}/mixed/app:v2`, mixed]);
    assert.equal(added.code, 0, added.stderr);
    for (const [at, sample] of samples.entries()) {
      const to = `docker://${two.host}/mixed/app:v${at + 1}`;
      await skopeo(
        folder,
        "copy",
        "--all",
        "--preserve-digests",
        "--dest-tls-verify=false",
        `oci:${mixed}:v${at + 1}`,
        to,
      );
      const { stdout } = await skopeo(folder, "inspect", "--raw", "--tls-verify=false", to);
      assert.equal(digestOfBytes(Buffer.from(stdout)), sample.digest);
    }
  });
});

describe("artifacts status", () => {
  test("each region's agent brings what the source names, and status tells of all of them", async (t) => {
    const folder = folderFor(t);
    const from = join(folder, "releases");
    const layout = openLayout({ folder: from });
    const sample = await putSample(layout, "v1", 200_000);
    await layout.close();
    const estate = await sampleEstate([[["artifacts"], { from }]]);
    t.after(() => removeEstate(estate));
    const flags = ["--spec", estate.specPath, "--data", estate.data.root];
    const [first = "", second = ""] = Object.keys(estate.spec.regions);
    const agents = new Map<string, Command>();
    t.after(() => {
      for (const agent of agents.values()) agent.signalGroup("SIGKILL");
    });
    agents.set(first, start(["agent", ...flags, "--region", first]));
    // Who cannot be asked is told of, and counts.
    const asked = () => run(["artifacts", "status", ...flags, "--json"]);
    const states = async () => statesIn((await asked()).stdout);
    await eventually(
      "the first region to have it",
      async () => (await states()).get(first) === "verified",
    );
    const half = await asked();
    assert.equal(half.code, 3);
    assert.match(
      half.stdout,
      new RegExp(`"${second}",\\s+"status": null,\\s+"error": "its agent did not answer`),
    );
    agents.set(second, start(["agent", ...flags, "--region", second]));
    await eventually(
      "both regions to have it",
      async () =>
        [first, second].every((region) => regionHas(estate, region, sample.digest)) &&
        [...(await states()).values()].every((state) => state === "verified"),
    );
    const shown = await run(["artifacts", "status", ...flags]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, new RegExp(`${first} +v1 ${sample.digest.slice(0, 19)} +verified`));
    for (const region of [first, second]) {
      const own = openLayout({ folder: estate.data.region(region).artifacts });
      await assertWhole(own, keptTag(sample.digest), sample);
      await own.close();
    }
  });
});

const statusSchema = z.object({
  regions: z.array(z.object({ region: z.string(), status: artifactStatusSchema.nullable() })),
});

/** State of the only artifact, by region. */
function statesIn(stdout: string): Map<string, string | undefined> {
  const { regions } = statusSchema.parse(JSON.parse(stdout));
  return new Map(regions.map(({ region, status }) => [region, status?.artifacts[0]?.state]));
}

function regionHas(estate: Estate, region: string, digest: string): boolean {
  return existsSync(join(estate.data.region(region).artifacts, "blobs", ...digest.split(":")));
}

describe("artifacts copy", () => {
  test("says what is wrong in the user's words, and leaves with the promised number", async (t) => {
    const folder = folderFor(t);
    const layout = openLayout({ folder: join(folder, "two") });
    for (const tag of ["v1", "v2"]) await putSample(layout, tag, 1_000);
    await layout.close();
    const two = join(folder, "two");
    const cases: readonly [args: readonly string[], code: number, words: RegExp][] = [
      [[two, join(folder, "to")], 2, /does not say which artifact is meant\n.*v1, v2/],
      [[`${two}:v3`, join(folder, "to")], 1, /no manifest v3 in the source/],
      [[join(folder, "nothing"), join(folder, "to")], 2, /There is none with a tag/],
      [[`${two}:v1`, "http://127.0.0.1:9/Upper"], 2, /"Upper" is no name of a repository/],
      [[`${two}:v1`, "http://127.0.0.1:9/app"], 3, /connection refused/],
      [[`${two}:v1`, "http://me:pw@127.0.0.1:9/app"], 2, /holds a password/],
      [[`${two}:v1`, join(folder, "to"), "--parallel", "0"], 2, /from 1 to 64/],
      [["http://127.0.0.1:9/app:v1", two, "--from-auth-env", "NOT_SET"], 2, /NOT_SET is not set/],
    ];
    for (const [args, code, words] of cases) {
      const result = await run(["artifacts", "copy", ...args]);
      assert.equal(result.code, code, `${args.join(" ")}: ${result.stderr}`);
      assert.match(result.stderr, words);
      assert.doesNotMatch(result.stderr, /at .*\.ts:\d+|pw@/);
    }
  });
});
