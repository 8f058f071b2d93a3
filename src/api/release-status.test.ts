import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadedRelease } from "../app/release-trust.ts";
import { releaseStatusLines } from "../cli/release-status.ts";
import { loadRelease } from "../config/load-release.ts";
import { asKnown, initialReleaseIntent } from "../core/publish/releases.ts";
import { KEYS } from "../model/keys.ts";
import { knownReleaseSchema } from "../model/release-intent.ts";
import { releaseRequestSchema } from "../model/request.ts";
import { SimClock } from "../sim/clock.ts";
import { simSpec } from "../sim/estate.ts";
import { readReleaseStatus } from "./release-status.ts";
import { type ApiOptions, createApi } from "./server.ts";
import { report, storeWith } from "./values.fixture.ts";

const EXAMPLE = join(dirname(fileURLToPath(import.meta.url)), "../../examples/estate/release");
const folder = mkdtempSync(join(tmpdir(), "tideover-release-status-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const spec = simSpec();
const TOKEN = "the-token";
const A = loadedRelease(loadRelease(EXAMPLE));
const B = loadedRelease(loadRelease(changedFolder()));

function changedFolder(): string {
  const next = join(folder, "next");
  cpSync(EXAMPLE, next, { recursive: true });
  const prompt = join(next, "prompts", "assistant.md");
  writeFileSync(prompt, `${readFileSync(prompt, "utf8")}\nBe brief.\n`);
  return next;
}

function serves(region: string, release: string, number = 5, lastError: string | null = null) {
  return {
    ...report(region),
    gateway: { number, sinceMs: 1_000, lastError, release, releaseSinceMs: 2_000 },
  };
}

async function statusWith(values: Readonly<Record<string, unknown>>, agesMs = 0) {
  const store = await storeWith({
    [KEYS.releaseIntent]: {
      ...initialReleaseIntent(spec, B.digest, 7),
      good: [B.digest, A.digest],
    },
    [KEYS.release(A.digest)]: asKnown(A, 1, "ada"),
    [KEYS.release(B.digest)]: { ...asKnown(B, 2, "ada"), number: 8 },
    [KEYS.snapshot]: { number: 5 },
    ...values,
  });
  return readReleaseStatus(store, spec, () => agesMs);
}

describe("the status of the release", () => {
  test("says of a region that is right what it serves, and for how long", async () => {
    const status = await statusWith({
      [KEYS.report("agent:eu-west")]: serves("eu-west", B.digest),
    });
    assert.partialDeepStrictEqual(status.regions[0], {
      region: "eu-west",
      intended: B.digest,
      since: 7,
      serves: { digest: B.digest, digestForMs: 2_000, number: 5, numberForMs: 1_000 },
      lastError: null,
      differs: [],
      because: "it serves what it shall",
    });
    assert.deepEqual([status.lastGood, status.snapshot], [B.digest, 5]);
    assert.deepEqual(
      status.known.map(({ number, version }) => [number, version]).toSorted(),
      [
        [8, A.body.version],
        [null, A.body.version],
      ].toSorted(),
    );
  });

  test("names the file that differs, and the gateway's own reason", async () => {
    const error = "release sha256:x of eu-west: its signature has expired";
    const { regions } = await statusWith({
      [KEYS.report("agent:eu-west")]: serves("eu-west", A.digest, 4, error),
    });
    assert.deepEqual(regions[0]?.differs, ["prompts/assistant.md"]);
    assert.match(regions[0]?.because ?? "", /prompts\/assistant\.md differs \(.*has expired\)/);
    assert.equal(regions[0]?.lastError, error);
  });

  const others: [what: string, values: Record<string, unknown>, ages: number, because: RegExp][] = [
    ["nobody has reported", {}, 0, /nobody has heard/],
    [
      "its agent has fallen silent",
      { [KEYS.report("agent:eu-west")]: serves("eu-west", B.digest) },
      60_000,
      /nobody has heard/,
    ],
    [
      "its gateway is behind",
      { [KEYS.report("agent:eu-west")]: serves("eu-west", B.digest, 4) },
      0,
      /serves snapshot 4, the newest is 5/,
    ],
    [
      "its gateway is of an older version",
      { [KEYS.report("agent:eu-west")]: report("eu-west") },
      0,
      /does not say/,
    ],
    [
      "it serves a release that nobody knows",
      { [KEYS.report("agent:eu-west")]: serves("eu-west", "sha256:strange") },
      0,
      /it serves sha256:strange, not/,
    ],
  ];
  for (const [what, values, ages, because] of others) {
    test(`says so when ${what}`, async () => {
      const { regions } = await statusWith(values, ages);
      assert.match(regions[0]?.because ?? "", because);
    });
  }

  test("of an estate without a release is one line", async () => {
    const store = await storeWith({ other: 1 });
    const status = await readReleaseStatus(store, spec, () => 0);
    assert.deepEqual(status.regions, []);
    assert.deepEqual(releaseStatusLines(status, 0), ["sim has no release"]);
  });

  test("says loudly when what runs has expired, and only then", async () => {
    const until = "2026-11-23T12:00:00Z";
    const status = await statusWith({
      [KEYS.release(B.digest)]: { ...asKnown({ ...B, expires: until }, 2, "ada"), number: 8 },
      [KEYS.release(A.digest)]: asKnown({ ...A, expires: "2026-01-01T00:00:00Z" }, 1, "ada"),
    });
    const textAt = (now: string): string => releaseStatusLines(status, Date.parse(now)).join("\n");
    assert.match(textAt(until), /release .*EXPIRED at 2026-11-23T12:00:00Z: it is still served/);
    const before = textAt("2026-11-23T11:59:59Z");
    assert.doesNotMatch(before, /still served/, "one that does not run may expire in peace");
    assert.match(before, /EXPIRED 2026-01-01T00:00:00Z/);
  });

  test("is told to people as a table, with where a rollback leads", async () => {
    const status = await statusWith({
      [KEYS.report("agent:eu-west")]: serves("eu-west", B.digest),
    });
    const text = releaseStatusLines(status, 0).join("\n");
    assert.match(text, /eu-west .* 5, for 1\.0 s .*it serves what it shall/);
    assert.match(text, /us-east .*nobody has heard of its gateway lately/);
    assert.match(text, new RegExp(`before it .*${A.digest.slice(0, 19)}`));
  });
});

describe("the release API", () => {
  async function api(over: Partial<ApiOptions> = {}) {
    const store = await storeWith({ other: 1 });
    const options: ApiOptions = {
      ...{ host: "127.0.0.1", port: 0, estate: { spec, release: null }, store },
      ...{ clock: new SimClock(), controller: { status: () => null }, token: TOKEN },
      ...{
        newId: () => "r1",
        verifyRelease: () => null,
        claimsOf: () => ({ number: 3, expires: null }),
        ...over,
      },
    };
    const post = (path: string, body: unknown) =>
      createApi(options).request(path, {
        method: "POST",
        headers: { authorization: `Bearer ${TOKEN}` },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    return { store, post };
  }
  const offer = { digest: A.digest, body: A.body, signatures: [], parts: A.parts ?? {} };

  test("makes a release known with the number that its signature bears, and once only", async () => {
    const { store, post } = await api();
    for (const by of ["ada", "bob"]) {
      assert.equal((await post("/v1/releases", { ...offer, by })).status, 201);
    }
    const known = knownReleaseSchema.parse((await store.get(KEYS.release(A.digest)))?.value);
    assert.deepEqual([known.number, known.by, known.digest], [3, "ada", A.digest]);
  });

  test("makes nothing known that does not verify, whether that is said or thrown", async () => {
    const verifiers: ApiOptions["verifyRelease"][] = [
      () => "its signature has expired",
      () => {
        throw new Error("a part was changed");
      },
    ];
    for (const verifyRelease of verifiers) {
      const { store, post } = await api({ verifyRelease });
      const answer = await post("/v1/releases", offer);
      assert.equal(answer.status, 400);
      assert.match(await answer.text(), /is refused: (its signature has|a part was)/);
      assert.equal(await store.get(KEYS.release(A.digest)), null);
    }
  });

  test("leaves a request for the leader, and takes no body for a rollback to the last good", async () => {
    const { store, post } = await api();
    assert.equal((await post("/v1/release/rollback", "")).status, 202);
    const left = releaseRequestSchema.parse((await store.get(KEYS.releaseRequest("r1")))?.value);
    assert.deepEqual([left.kind, left.release, left.by], ["rollback", null, "operator"]);
  });

  test("says what is wrong with a body", async () => {
    const { post } = await api();
    assert.equal((await post("/v1/release/activate", "{")).status, 400);
    assert.equal((await post("/v1/releases", { digest: A.digest })).status, 400);
    assert.equal((await post("/v1/release/forget", "")).status, 404);
  });
});
