import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseDocument } from "yaml";
import { z } from "zod";
import { type Estate, keysOf } from "../../src/app/estate.ts";
import { startLocalEstate } from "../../src/app/local-estate.ts";
import { publishTo, withLayout } from "../../src/app/release-places.ts";
import { signRelease } from "../../src/app/release-signing.ts";
import { loadRelease } from "../../src/config/load-release.ts";
import {
  makeReleaseKeys,
  type ReleaseKeyPair,
  readPrivateKey,
} from "../../src/config/release-key.ts";
import { signText } from "../../src/lib/signing.ts";
import { signedSnapshotSchema, snapshotSchema } from "../../src/model/snapshot.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import {
  eventually,
  KEYS,
  ROOT,
  removeEstate,
  runCommand,
  sampleEstate,
  type TestEstate,
} from "../support/estate.ts";

/**
 * An estate that serves signed releases only, with real keys and real processes: what it refuses to
 * activate, what its gateways refuse to start with, and how its keys are changed.
 */

const EXAMPLE = join(ROOT, "examples", "estate", "release");
const REGIONS = ["eu-west", "us-east"];
const RECURSIVE = { recursive: true } as const;
/** Enough to be sure of in a test that is about signatures: two questions are soon answered. */
const EVALUATION = "canary: { questions: 2, requests: 1000000 }\n";

const [a, b, stranger] = [
  await makeReleaseKeys(null),
  await makeReleaseKeys(null),
  await makeReleaseKeys(null),
];

const statusSchema = z.object({ release: z.string() });

async function sign(
  layout: string,
  { privateKey }: ReleaseKeyPair,
  claims: { readonly number: number; readonly expires?: string },
): Promise<void> {
  const key = await readPrivateKey(privateKey, "a test's key", null);
  const { number, expires = null } = claims;
  await withLayout(layout, (store) =>
    signRelease(store, "latest", key, { number, expires, reference: null }),
  );
}

describe("an estate that trusts keys", () => {
  let estate: Estate;
  let up: TestEstate;
  let folder: string;
  const digests = new Map<string, string>();

  before(async () => {
    const release = { folder: "./release", trust: ["a.pub", "b.pub"], bake: "200ms" };
    estate = await sampleEstate([[["release"], release]], (source) => {
      writeFileSync(join(source, "a.pub"), a.publicKey);
      writeFileSync(join(source, "b.pub"), b.publicKey);
      writeFileSync(join(source, "release", "evaluation.yaml"), EVALUATION);
    });
    folder = dirname(estate.data.root);
    digests.set("1.0.0", estate.release?.digest ?? "");
  });
  after(async () => {
    await up?.stop();
    removeEstate(estate);
  });

  /** Another release in a layout of its own, not signed yet. */
  async function built(version: string, name = version): Promise<string> {
    const source = join(folder, "releases", name);
    cpSync(EXAMPLE, source, { recursive: true });
    writeFileSync(join(source, "evaluation.yaml"), EVALUATION);
    const file = join(source, "release.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace('"1.0.0"', `"${version}"`));
    const layout = join(folder, "layouts", name);
    mkdirSync(dirname(layout), { recursive: true });
    const { built: release } = loadRelease(source);
    await publishTo(layout, release, ["latest"]);
    digests.set(name, release.digest);
    return layout;
  }

  const tideover = (...args: string[]) =>
    runCommand([...args, "--spec", estate.specPath, "--data", estate.data.root]);
  const activate = (layout: string) => tideover("release", "activate", layout, "--by", "a test");

  async function servedBy(region: string): Promise<string | null> {
    const response = await fetch(
      `http://${estate.spec.regions[region]?.gateway}/v1/chat/completions`,
      {
        method: "POST",
        headers: { authorization: `Bearer ${KEYS.acme}`, "x-tideover-readiness": "1" },
        body: JSON.stringify({
          model: "summarize",
          messages: [{ role: "user", content: "Hello." }],
        }),
      },
    );
    await response.text();
    return response.headers.get(HEADERS.release);
  }

  /** What each gateway says that it serves itself: an answer may come from another region. */
  async function serves(region: string): Promise<unknown> {
    const address = estate.spec.regions[region]?.gateway;
    const status = await fetch(`http://${address}/tideover/v1/status`);
    return statusSchema.parse(await status.json()).release;
  }

  async function everywhere(name: string): Promise<void> {
    for (const region of REGIONS) assert.equal(await serves(region), digests.get(name), region);
    assert.equal(await servedBy("eu-west"), digests.get(name));
  }

  async function restarted(region: string, while_: () => void = () => undefined): Promise<string> {
    await up.supervisor.killProcess(`gateway:${region}`);
    while_();
    const log = estate.data.log(`gateway-${region}`);
    const before = readFileSync(log, "utf8").length;
    await up.supervisor.startProcess(`gateway:${region}`);
    return readFileSync(log, "utf8").slice(before);
  }

  function trust(...files: string[]): void {
    const spec = parseDocument(readFileSync(estate.specPath, "utf8"));
    spec.setIn(["release", "trust"], files);
    writeFileSync(estate.specPath, spec.toString());
  }

  it("does not start with a release that nobody has signed, and says what to do", async () => {
    const options = { tell: () => undefined, signal: new AbortController().signal };
    await assert.rejects(startLocalEstate(estate, options), {
      code: "RELEASE_UNSIGNED",
      next: /tideover release sign .* --key/,
    });
    const files = existsSync(estate.data.root) ? readdirSync(estate.data.root, RECURSIVE) : [];
    const published = files.filter((file) => basename(String(file)).startsWith("snapshot"));
    assert.deepEqual(published, [], "nothing was published");
  });

  it("starts once its folder is signed, and each region has the trusted keys", async () => {
    const { built: release } = estate.release ?? assert.fail("the sample has a release");
    await publishTo(estate.data.releases, release, ["latest"]);
    await sign(estate.data.releases, a, { number: 5 });
    const options = { tell: () => undefined, signal: new AbortController().signal };
    up = { ...(await startLocalEstate(estate, options)), estate };
    await everywhere("1.0.0");
    for (const region of REGIONS) {
      assert.equal(readdirSync(estate.data.region(region).trust).length, 2);
    }
    const [known] = (await up.control.release()).known;
    assert.deepEqual([known?.number, known?.expires], [5, null]);
  });

  it("activates nothing unsigned, strange, expired, older or changed, and serves on", async () => {
    const refusals: [what: string, ready: (layout: string) => Promise<void>, said: RegExp][] = [
      ["unsigned", async () => undefined, /bears no signature \(RELEASE_UNSIGNED\)/],
      ["strange", (at) => sign(at, stranger, { number: 9 }), /\(RELEASE_UNTRUSTED\)/],
      [
        "expired",
        (at) => sign(at, a, { number: 9, expires: "2026-01-01T00:00:00Z" }),
        /expired at 2026-01-01T00:00:00Z \(RELEASE_EXPIRED\)/,
      ],
      ["older", (at) => sign(at, a, { number: 4 }), /its number 4 is below 5/],
      [
        "changed",
        async (at) => {
          await sign(at, a, { number: 9 });
          flipOneByte(join(at, "blobs", "sha256"), "Use only the documents below");
        },
        /expected sha256:[0-9a-f]{64}.*found sha256:[0-9a-f]{64}/,
      ],
    ];
    for (const [what, ready, said] of refusals) {
      const layout = await built(`1.1.0-${what}`);
      await ready(layout);
      const { code, stdout, stderr } = await activate(layout);
      assert.notEqual(code, 0, what);
      assert.match(stdout + stderr, said, what);
    }
    await everywhere("1.0.0");
    assert.deepEqual((await up.control.release()).good, [digests.get("1.0.0")]);
  });

  it("activates what the second key has signed, and then needs the first no more", async () => {
    const layout = await built("2.0.0");
    await sign(layout, b, { number: 6 });
    const { code, stdout, stderr } = await activate(layout);
    assert.equal(code, 0, stdout + stderr);
    await everywhere("2.0.0");
    const log = await restarted("us-east", () => trust("b.pub"));
    assert.doesNotMatch(log, /SNAPSHOT_REFUSED/);
    await everywhere("2.0.0");
  });

  it("a gateway that trusts the signer no more starts with its last good release, and no peer changes that", async () => {
    const log = await restarted("us-east", () => trust("a.pub"));
    assert.match(log, /SNAPSHOT_REFUSED.*serves its last good release.*RELEASE_UNTRUSTED/);
    assert.equal(await serves("us-east"), digests.get("1.0.0"));
    await eventually("the region to be called unready", async () => {
      const { regions } = await up.control.release();
      const found = regions.find(({ region }) => region === "us-east");
      return /serves sha256:\w+, not .*release\.yaml differs.*RELEASE_UNTRUSTED/.test(
        found?.because ?? "",
      );
    });
    await restarted("us-east", () => trust("a.pub", "b.pub"));
    await eventually("it to serve what it shall", async () => {
      return (await serves("us-east")) === digests.get("2.0.0");
    });
  });

  it("starts with no file in which a byte was changed, or a signature is missing", async () => {
    const { root, snapshot } = estate.data.region("us-east");
    const log = await restarted("us-east", () => {
      flipOneByte(root, "Use only the documents below", "snapshot.json.last-good");
      withoutSignatures(snapshot, keysOf(estate).signingKey);
    });
    assert.match(log, /bears no signature \(RELEASE_UNSIGNED\)/);
    for (const file of ["snapshot.json", "snapshot.json.last-good"]) {
      assert.ok(existsSync(join(root, `${file}.refused`)), `${file} is kept aside`);
    }
    // Its peer has the whole one.
    await eventually("it to serve again", async () => {
      return (await serves("us-east")) === digests.get("2.0.0");
    });
  });

  it("goes on with a release that expires, says so, and starts no gateway with it", async () => {
    const layout = await built("3.0.0");
    const expires = new Date(Date.now() + 14_000).toISOString();
    await sign(layout, b, { number: 7, expires });
    const { code, stdout, stderr } = await activate(layout);
    assert.equal(code, 0, stdout + stderr);
    await everywhere("3.0.0");
    await eventually("the status to say so", async () =>
      /EXPIRED at .*still served/.test((await tideover("status")).stdout),
    );
    await eventually("the standby to be ready all the same", async () => {
      const { workflows } = await up.control.status();
      return workflows.every(({ standbys }) => standbys.every(({ ready }) => ready === true));
    });
    const log = await restarted("us-east");
    assert.match(log, /SNAPSHOT_REFUSED.*serves its last good release.*RELEASE_EXPIRED/);
    assert.equal(await serves("us-east"), digests.get("2.0.0"));
    assert.equal(await serves("eu-west"), digests.get("3.0.0"));
    await sign(layout, b, { number: 7 });
    await activate(layout);
    await eventually("the new signature to reach the gateway", async () => {
      return (await serves("us-east")) === digests.get("3.0.0");
    });
  });
});

/** Changes one byte in the file of a folder that has the text in it. */
function flipOneByte(folder: string, text: string, name?: string): void {
  const file = readdirSync(folder)
    .filter((one) => name === undefined || one === name)
    .map((one) => join(folder, one))
    .find((one) => readFileSync(one, "utf8").includes(text));
  assert.ok(file, `a file in ${folder} has "${text}"`);
  const bytes = readFileSync(file);
  const at = bytes.indexOf(text);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  rmSync(file);
  writeFileSync(file, bytes);
}

/** The estate's own controller says it, and so its signature of the snapshot is good. */
function withoutSignatures(file: string, signingKey: string): void {
  const signed = signedSnapshotSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  const snapshot = snapshotSchema.parse(JSON.parse(signed.payload));
  const releases = Object.fromEntries(
    Object.entries(snapshot.releases).map(([digest, one]) => [digest, { ...one, signatures: [] }]),
  );
  const payload = JSON.stringify({ ...snapshot, releases });
  writeFileSync(file, JSON.stringify(signText(payload, signingKey)));
}
