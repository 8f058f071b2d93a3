import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { handClock, regionOf, snapshotOf } from "../../../test/support/gateway-world.ts";
import { Health } from "./health.ts";
import { troublesOf } from "./troubles.ts";

const SNAPSHOT = snapshotOf({
  regions: {
    "eu-west": regionOf("http://eu", "http://a", "http://b"),
    "us-east": regionOf("http://us"),
  },
});

describe("what a gateway tells of its targets", () => {
  function started() {
    const clock = handClock();
    const health = new Health(clock, () => 0);
    const fail = (name: string, times = 1): void => {
      for (let i = 0; i < times; i++) health.failed({ name, trial: false }, "status 500");
    };
    const told = () => troublesOf(health.outcomes(), SNAPSHOT, "eu-west");
    return { clock, health, fail, told };
  }

  it("is nothing while all of them answer", () => {
    const { health, told } = started();
    health.succeeded("target-1");
    assert.deepEqual(told(), []);
  });

  it("is one that fails, then that it is left alone, since when, why and how often in a row", () => {
    const { clock, fail, told } = started();
    fail("target-1");
    clock.forward(200);
    fail("target-1");
    const one = { target: "target-1", region: "eu-west", domain: "capacity-loss" };
    const fails = { ...one, ejections: 0, because: "status 500" };
    assert.deepEqual(told(), [{ ...fails, standing: "failing", sinceMs: 200, seenAgoMs: 0 }]);
    fail("target-1");
    const because = "3 failures in a row (newest: status 500)";
    const out = { ...one, ejections: 1, because };
    assert.deepEqual(told(), [{ ...out, standing: "out", sinceMs: 200, seenAgoMs: 0 }]);
    clock.forward(5_000);
    assert.deepEqual(told(), [{ ...out, standing: "trial", sinceMs: 5_200, seenAgoMs: 5_000 }]);
  });

  it("ends with the whole answer to a trial, and not with its first byte", () => {
    const { clock, health, fail, told } = started();
    fail("target-1", 3);
    clock.forward(1_000);
    const claim = health.claim("target-1", false) ?? assert.fail("it may not be tried");
    health.answered(claim, "firstToken", 10);
    health.settled(claim);
    assert.deepEqual(
      told().map(({ standing }) => standing),
      ["failing"],
    );
    health.succeeded("target-1");
    assert.deepEqual(told(), []);
  });

  it("counts the ejections in a row, and from the start of the row", () => {
    const { clock, health, fail, told } = started();
    fail("target-1", 3);
    clock.forward(1_000);
    const claim = health.claim("target-1", false) ?? assert.fail("it may not be tried");
    health.failed(claim, "status 500");
    health.settled(claim);
    const [one] = told();
    assert.deepEqual([one?.ejections, one?.standing, one?.sinceMs], [2, "out", 1_000]);
    assert.equal(one?.because, "its trial failed: status 500");
  });

  it("is no failure of long ago that nobody has asked after since", () => {
    const { clock, fail, told } = started();
    fail("target-1");
    clock.forward(30_001);
    assert.deepEqual(told(), []);
  });

  it("is another region's gateway under the domain that it speaks of, and what it was asked for", () => {
    const { fail, told } = started();
    for (const name of ["gateway:us-east", "gateway:us-east (embeddings)", "target-2 (look-ups)"]) {
      fail(name);
    }
    assert.deepEqual(
      told().map(({ target, region, domain }) => [target, region, domain]),
      [
        ["gateway:us-east", "us-east", "region-outage"],
        ["gateway:us-east (embeddings)", "us-east", "region-outage"],
        ["target-2 (look-ups)", "eu-west", "capacity-loss"],
      ],
    );
  });

  it("leaves out what the present snapshot does not name", () => {
    const { health, fail } = started();
    for (const name of ["gone", "gateway:gone", "constructor", "gateway:constructor"]) fail(name);
    assert.deepEqual(troublesOf(health.outcomes(), SNAPSHOT, "eu-west"), []);
    assert.deepEqual(troublesOf(health.outcomes(), null, "eu-west"), []);
  });
});
