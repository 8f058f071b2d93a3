import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Intent } from "../../model/intent.ts";
import type { Release } from "../../model/release.ts";
import { snapshotSchema } from "../../model/snapshot.ts";
import { type Spec, specSchema } from "../../model/spec.ts";
import { NO_RELEASE, oneRelease } from "./releases.ts";
import {
  buildSnapshot,
  initialIntents,
  initialOwnerships,
  type SnapshotInput,
} from "./snapshot.ts";

const KEY_HASH = `sha256:${"a".repeat(64)}`;
const NOW = 1_700_000_000_000;
const RELEASE: Release = {
  name: "assistant",
  version: "1.0.0",
  model: { id: "m", digest: `sha256:${"2".repeat(64)}`, fingerprint: "f".repeat(16) },
  prompts: { answer: { system: "Answer.", version: "sha256:p" } },
  policy: { requestsPerMinute: 600, maxOutputTokens: 512 },
};

describe("a snapshot of an estate", () => {
  const spec = specWith();
  const snapshot = buildSnapshot(inputWith({ spec }));

  test("has the shape that gateways read, and its own number, time, reason and release", () => {
    assert.deepEqual(snapshotSchema.parse(snapshot), snapshot);
    const { estate, number, issuedAt, because, releases, maxBodyBytes } = snapshot;
    assert.deepEqual(
      { estate, number, issuedAt, because, releases, maxBodyBytes },
      {
        estate: "test",
        number: 7,
        issuedAt: NOW,
        because: "a test asks",
        releases: { "sha256:r": { body: RELEASE, signatures: [], parts: {} } },
        maxBodyBytes: 1_048_576,
      },
    );
  });

  test("leads to every region, and to every target in its order", () => {
    assert.deepEqual(Object.keys(snapshot.regions), ["eu-west", "us-east"]);
    assert.deepEqual(snapshot.regions["eu-west"], {
      gateway: "http://10.0.0.1:80",
      jurisdiction: "EU",
      release: "sha256:r",
      targets: [
        {
          ...{ name: "gpu", url: "http://10.0.0.1:8000", model: "m", keyEnv: null },
          // The reference runtime can; of any other server the spec must say so.
          continuation: "continue-final-message",
        },
        {
          ...{ name: "spare", url: "http://10.0.0.1:8001", model: "m", keyEnv: "LLM_KEY" },
          continuation: "none",
        },
      ],
    });
  });

  test("holds hashes of keys and names of variables, and nothing else of either", () => {
    assert.deepEqual(snapshot.tenants, { acme: { keys: [KEY_HASH], labels: ["staff"] } });
    // What only the machines that start things need stays out of what is copied everywhere.
    const text = JSON.stringify(snapshot);
    for (const word of ["reference", "modelDigest", "salt-of-the-runtime", "SIGNING_PASSWORD"])
      assert.equal(text.includes(word), false, word);
  });

  test("is no part of the spec: a change of one does not reach the other", () => {
    const mine = specWith();
    const made = buildSnapshot(inputWith({ spec: mine }));
    made.tenants.acme?.keys.push("sha256:b");
    made.tenants.acme?.labels?.push("board");
    made.workflows.rag?.degradedModes.push("restricted");
    assert.deepEqual(mine, specWith());
  });
});

describe("a route", () => {
  const cases: readonly (readonly [string, object, Intent | null, object])[] = [
    [
      "of an active-passive workflow leads to its primary",
      { pattern: "active-passive" },
      null,
      { serving: ["eu-west"], epoch: 1, mode: null },
    ],
    [
      "of an active-active workflow leads to all of its regions, the primary first",
      { pattern: "active-active" },
      null,
      { serving: ["eu-west", "us-east"], epoch: 1, mode: null },
    ],
    [
      "follows the intent, not the spec, once there is one",
      { pattern: "active-passive" },
      intent({ serving: ["us-east"], epoch: 4, mode: "no-retrieval" }),
      { serving: ["us-east"], epoch: 4, mode: "no-retrieval" },
    ],
    [
      "of an active-active workflow that lost a region leads to what is left",
      { pattern: "active-active" },
      intent({ serving: ["us-east"], epoch: 2 }),
      { serving: ["us-east"], epoch: 2 },
    ],
    [
      "does not move before its plan opens it",
      { pattern: "active-passive" },
      intent({ serving: ["eu-west"], epoch: 3, movingBy: "p1" }),
      { serving: ["eu-west"], epoch: 3 },
    ],
    [
      "with retrieval names the index and whether it can do without",
      { retrieval: { index: "handbook", topK: 6, required: false }, prompt: "answer" },
      null,
      { retrieval: { index: "handbook", topK: 6, required: false }, prompt: "answer" },
    ],
    [
      "of plain inference names no index and no prompt",
      {},
      null,
      { retrieval: null, prompt: null },
    ],
    [
      "keeps the order of the degraded modes, and the deadline",
      { degradedModes: ["no-retrieval", "approved-content"], deadline: "90s" },
      null,
      { degradedModes: ["no-retrieval", "approved-content"], deadlineMs: 90_000 },
    ],
  ];
  for (const [what, workflow, held, wanted] of cases) {
    test(what, () => {
      const input = inputWith({ spec: specWith(workflow), intents: held ? [held] : [] });
      const route = buildSnapshot(input).workflows.rag;
      assert.ok(route);
      assert.partialDeepStrictEqual(route, wanted);
    });
  }

  test("stands for every workflow, also for one that has no intent yet", () => {
    const spec = specSchema.parse({ ...text(), workflows: { rag: flow(), plain: flow() } });
    const moved = intent({ serving: ["us-east"], epoch: 2 });
    const { workflows } = buildSnapshot(inputWith({ spec, intents: [moved] }));
    assert.deepEqual(
      Object.entries(workflows).map(([name, route]) => [name, route.epoch, route.serving]),
      [
        ["rag", 2, ["us-east"]],
        ["plain", 1, ["eu-west"]],
      ],
    );
  });
});

test("without a release, gateways are told so in the place of its digest", () => {
  const { releases, regions } = buildSnapshot(inputWith({ releases: oneRelease(null) }));
  assert.deepEqual([releases, regions["us-east"]?.release], [{}, NO_RELEASE]);
});

test("the first intents say why they are as they are", () => {
  assert.deepEqual(initialIntents(specWith({ pattern: "active-active" }), NOW), [
    intent({
      serving: ["eu-west", "us-east"],
      because: "the spec says active-active with primary eu-west",
      since: NOW,
    }),
  ]);
});

test("every index is written from its home at first", () => {
  assert.deepEqual(initialOwnerships(specWith()), [
    { index: "handbook", epoch: 1, region: "us-east", frozen: false },
  ]);
});

function inputWith(over: Partial<SnapshotInput> = {}): SnapshotInput {
  return {
    spec: specWith(),
    releases: oneRelease({ digest: "sha256:r", body: RELEASE }),
    intents: [],
    number: 7,
    because: "a test asks",
    now: NOW,
    ...over,
  };
}

function intent(over: Partial<Intent>): Intent {
  return {
    workflow: "rag",
    epoch: 1,
    serving: ["eu-west"],
    mode: null,
    movingBy: null,
    because: "a test says so",
    since: 0,
    ...over,
  };
}

function specWith(workflow: object = {}): Spec {
  return specSchema.parse({ ...text(), workflows: { rag: flow(workflow) } });
}

function text() {
  return {
    tideover: 1,
    estate: "test",
    maxBody: "1MiB",
    regions: { "eu-west": region(1, "EU"), "us-east": region(2, "US") },
    tenants: { acme: { keys: [KEY_HASH], labels: ["staff"] } },
    indexes: { handbook: { home: "us-east" } },
  };
}

function flow(over: object = {}) {
  return {
    pattern: "active-passive",
    primary: "eu-west",
    standbys: ["us-east"],
    rto: "30s",
    rpo: "5s",
    declare: { by: "automatic", who: "on-call", signals: ["region-outage"] },
    customers: { channel: "status page", message: "{workflow} moved." },
    ...over,
  };
}

function region(host: number, jurisdiction: string) {
  const url = `http://10.0.0.${host}`;
  const reference = {
    modelDigest: `sha256:${"3".repeat(64)}`,
    embeddingSalt: "salt-of-the-runtime",
  };
  const targets = [
    { name: "gpu", url: `${url}:8000`, model: "m", reference },
    { name: "spare", url: `${url}:8001`, model: "m", keyEnv: "LLM_KEY" },
  ];
  return {
    jurisdiction,
    gateway: `10.0.0.${host}:80`,
    components: { runtime: { targets }, secrets: { env: ["SIGNING_PASSWORD"] } },
  };
}
