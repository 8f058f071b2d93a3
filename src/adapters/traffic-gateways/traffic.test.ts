import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Probe, ProbeFailure, ProbeRequest, ProbeResponse } from "../../ports/probe.ts";
import type { Acknowledgement } from "../../ports/traffic.ts";
import { createGatewayTraffic } from "./traffic.ts";

const SIGNED = { payload: "{}", keyId: "k", signature: "s" };

const answer = (status: number, body: unknown): ProbeResponse => ({
  answered: true,
  status,
  headers: {},
  body: typeof body === "string" ? body : JSON.stringify(body),
  tookMs: 1,
});

function trafficWith(given: ProbeResponse | ProbeFailure) {
  const asked: ProbeRequest[] = [];
  const probe: Probe = {
    exchange: async (request) => {
      asked.push(request);
      return given;
    },
  };
  const gateways = new Map([["us-east", "http://127.0.0.1:7101"]]);
  return { traffic: createGatewayTraffic({ probe, gateways, timeoutMs: 50 }), asked };
}

const silence: ProbeFailure = { answered: false, reason: "no answer in 50 ms", tookMs: 50 };

describe("publishing", () => {
  it("offers the snapshot as it was signed", async () => {
    const { traffic, asked } = trafficWith(answer(200, { adopted: true, number: 4 }));
    const acknowledged = await traffic.publish("us-east", SIGNED);
    assert.deepEqual(acknowledged, { reachable: true, number: 4, lastError: null });
    const url = "http://127.0.0.1:7101/tideover/v1/snapshot";
    assert.deepEqual(asked, [{ method: "PUT", body: SIGNED, url, timeoutMs: 50 }]);
  });

  const cases: readonly [
    name: string,
    given: ProbeResponse | ProbeFailure,
    told: Acknowledgement,
  ][] = [
    [
      "a refusal is an answer, with the number that is served",
      answer(409, { adopted: false, number: 5, reason: "4 is not above 5" }),
      { reachable: true, number: 5, lastError: "4 is not above 5" },
    ],
    ["silence is said", silence, { reachable: false, reason: "no answer in 50 ms" }],
    [
      "an error is said",
      answer(500, "broken"),
      { reachable: false, reason: "answered 500: broken" },
    ],
    [
      "what is not understood is said",
      answer(200, "<html>"),
      { reachable: false, reason: "answered 200: <html>" },
    ],
  ];
  for (const [name, given, told] of cases) {
    it(name, async () => {
      assert.deepEqual(await trafficWith(given).traffic.publish("us-east", SIGNED), told);
    });
  }
});

describe("asking what is served", () => {
  it("reads the status, whatever else it holds", async () => {
    const { traffic, asked } = trafficWith(answer(200, { number: 4, lastError: "x", targets: {} }));
    const told = await traffic.acknowledged("us-east");
    assert.deepEqual(told, { reachable: true, number: 4, lastError: "x" });
    assert.equal(asked[0]?.url, "http://127.0.0.1:7101/tideover/v1/status");
  });

  it("says that a region is unknown, without asking anybody", async () => {
    const { traffic, asked } = trafficWith(silence);
    const told = await traffic.acknowledged("mars");
    assert.deepEqual(told, { reachable: false, reason: "no gateway of mars is known" });
    assert.deepEqual(asked, []);
  });
});
