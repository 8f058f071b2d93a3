import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EMPTY_POSITION } from "../../model/position.ts";
import type { Probe, ProbeFailure, ProbeRequest, ProbeResponse } from "../../ports/probe.ts";
import { createHttpAgents } from "./agents.ts";

const answer = (status: number, body: unknown): ProbeResponse => ({
  answered: true,
  status,
  headers: {},
  body: typeof body === "string" ? body : JSON.stringify(body),
  tookMs: 1,
});

function agentsWith(given: ProbeResponse | ProbeFailure) {
  const asked: ProbeRequest[] = [];
  const probe: Probe = {
    exchange: async (request) => {
      asked.push(request);
      return given;
    },
  };
  const agents = createHttpAgents({
    probe,
    token: "secret",
    agents: new Map([["us-east", "http://127.0.0.1:7201/"]]),
  });
  return { agents, asked };
}

const ownership = { index: "handbook", epoch: 2, region: "us-east", frozen: false };

describe("asking an agent", () => {
  it("sends the token, the body and less patience than its own", async () => {
    const readiness = {
      region: "us-east",
      workflow: "rag",
      ready: true,
      because: "x",
      at: 1,
      checks: [],
    };
    const { agents, asked } = agentsWith(answer(200, readiness));
    const options = { exactIndex: true, timeoutMs: 1_000 };
    assert.deepEqual(await agents.readiness("us-east", "rag", options), readiness);
    assert.deepEqual(asked, [
      {
        url: "http://127.0.0.1:7201/tideover/v1/readiness",
        method: "POST",
        headers: { authorization: "Bearer secret" },
        body: { workflow: "rag", exactIndex: true, timeoutMs: 900 },
        timeoutMs: 1_000,
      },
    ]);
  });

  it("asks for a release to be fetched and verified, and gives what the agent has", async () => {
    const held = { complete: false, detail: "3 of 5 blobs are here" };
    const { agents, asked } = agentsWith(answer(200, held));
    assert.deepEqual(await agents.fetchRelease("us-east", "sha256:a", 1_000), held);
    assert.deepEqual(await agents.verifyRelease("us-east", "sha256:a", 1_000), held);
    assert.deepEqual(
      asked.map(({ url, body }) => [url.replace("http://127.0.0.1:7201", ""), body]),
      ["fetch", "verify"].map((what) => [
        `/tideover/v1/releases/${what}`,
        { digest: "sha256:a", timeoutMs: 900 },
      ]),
    );
  });

  it("asks for a whole copy of an index to be proven, with all of its patience", async () => {
    const position = { seq: 9, digest: "d", sourceTime: 1, count: 9 };
    const proof = { accepted: false, position, because: "digests: the sums do not make up d" };
    const { agents, asked } = agentsWith(answer(200, proof));
    assert.deepEqual(await agents.proveIndex("us-east", "handbook", 60_000), proof);
    assert.deepEqual(
      asked.map(({ url, timeoutMs }) => [url, timeoutMs]),
      [["http://127.0.0.1:7201/tideover/v1/indexes/handbook/prove", 60_000]],
    );
  });

  it("takes an agent's refusal of a release as final, in the agent's words", async () => {
    for (const code of ["RELEASE_INVALID", "RELEASE_TAMPERED"]) {
      const { agents } = agentsWith(answer(422, { error: { code, message: "nobody signed it" } }));
      await assert.rejects(agents.verifyRelease("us-east", "sha256:a", 100), {
        ...{ code, retry: "never", message: "agent of us-east: nobody signed it" },
      });
    }
  });

  it("asks for a canary that the region answers itself", async () => {
    const { agents, asked } = agentsWith({ answered: false, reason: "gone", tookMs: 1 });
    await assert.rejects(agents.canary("us-east", "rag", 1_000, { standby: true }));
    await assert.rejects(agents.canary("us-east", "rag", 1_000));
    assert.deepEqual(
      asked.map(({ body }) => body),
      [true, false].map((standby) => ({ workflow: "rag", standby, timeoutMs: 900 })),
    );
  });

  it("gives positions and canaries as they came", async () => {
    const position = agentsWith(answer(200, EMPTY_POSITION));
    assert.deepEqual(
      await position.agents.obeyOwnership("us-east", ownership, 100),
      EMPTY_POSITION,
    );
    const both = { own: EMPTY_POSITION, owner: null };
    const caught = agentsWith(answer(200, both));
    assert.deepEqual(await caught.agents.catchUp("us-east", "handbook", 100), both);
    const canary = {
      ok: true,
      region: "us-east",
      releaseDigest: "d",
      epoch: 2,
      mode: "normal",
      detail: "",
    };
    const sent = agentsWith(answer(200, canary));
    assert.deepEqual(await sent.agents.canary("us-east", "rag", 100), canary);
  });

  const error = (code: string) => ({ error: { code, message: "said so", next: "Do this." } });
  const failures: readonly [
    name: string,
    given: ProbeResponse | ProbeFailure,
    code: string,
    message: RegExp,
  ][] = [
    [
      "silence",
      { answered: false, reason: "connection refused", tookMs: 1 },
      "PEER_UNAVAILABLE",
      /us-east did not answer: connection refused/,
    ],
    ["an older epoch", answer(409, error("EPOCH_STALE")), "EPOCH_STALE", /us-east: said so/],
    ["a diverged copy", answer(409, error("INDEX_DIVERGED")), "INDEX_DIVERGED", /said so/],
    ["a broken index", answer(503, error("INDEX_UNAVAILABLE")), "INDEX_UNAVAILABLE", /said so/],
    [
      "an agent that is not able now",
      answer(503, error("STORE_UNAVAILABLE")),
      "PEER_UNAVAILABLE",
      /refused: said so/,
    ],
    ["an error of no known shape", answer(500, "<html>"), "PEER_UNAVAILABLE", /500: <html>/],
    [
      "an answer of another shape",
      answer(200, { seq: "many" }),
      "PEER_UNAVAILABLE",
      /not understood/,
    ],
    ["an answer that is no JSON", answer(200, "{"), "PEER_UNAVAILABLE", /not understood/],
  ];
  for (const [name, given, code, message] of failures) {
    it(`turns ${name} into ${code}`, async () => {
      const { agents } = agentsWith(given);
      await assert.rejects(agents.obeyOwnership("us-east", ownership, 100), { code, message });
    });
  }

  it("fails for a region without an agent, without asking anybody", async () => {
    const { agents, asked } = agentsWith(answer(200, EMPTY_POSITION));
    await assert.rejects(agents.canary("mars", "rag", 100), { code: "PEER_UNAVAILABLE" });
    assert.deepEqual(asked, []);
  });
});
