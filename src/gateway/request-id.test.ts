import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { post, QUESTION, regionOf, snapshotOf, World } from "../../test/support/gateway-world.ts";
import { startUpstream } from "../../test/support/upstream.ts";
import type { Gateway } from "./server.ts";

describe("a request's id", () => {
  const world = new World();
  let gateway: Gateway;

  before(async () => {
    const upstream = await world.own(startUpstream("eu"));
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", upstream.url) };
    const snapshots = await world.holder(snapshotOf({ regions }));
    gateway = await world.gateway({ region: "eu-west", snapshots });
  });
  after(() => world.end());

  const idGiven = async (headers: Record<string, string>): Promise<string | null> =>
    (await post(gateway.url, QUESTION, headers)).headers.get("x-request-id");

  it("is the caller's own when that is a uuid, so that two gateways' logs can be joined", async () => {
    const mine = "0b6f7c1e-52a4-4f0e-9a51-3d1c2b4a5f60";
    assert.equal(await idGiven({ "x-request-id": mine }), mine);
  });

  for (const word of ["1", "req-7", "0b6f7c1e-52a4-4f0e-9a51-3d1c2b4a5f60-x", "a".repeat(36)]) {
    it(`is a new one instead of a caller's ${word.slice(0, 45)}`, async () => {
      assert.match((await idGiven({ "x-request-id": word })) ?? "", /^req-eu-west-\d+$/);
    });
  }
});
