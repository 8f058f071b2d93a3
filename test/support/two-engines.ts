import assert from "node:assert/strict";
import { it } from "node:test";
import { HEADERS } from "../../src/wire/headers.ts";
import { ask, callerOf } from "./callers.ts";
import { eventually, KEYS, type TestEstate } from "./estate.ts";

const QUESTION = "Until what time are orders for the night express of spare parts accepted?";
const MARKER = "What is the confidentiality marker of Acme, the code word in no shipment?";

export async function positionsOf(up: TestEstate) {
  const { regions } = await up.control.status();
  return regions.map(({ indexes }) => indexes[0]?.position);
}

/** What holds of a sample estate whose two regions keep their indexes in different engines. */
export function provesTwoEngines(estate: () => TestEstate): void {
  it("copies what one region took in to the other, to equal digests", async () => {
    await eventually("both copies to be level", async () => {
      const [eu, us] = await positionsOf(estate());
      return (eu?.count ?? 0) > 0 && eu?.digest === us?.digest && eu?.seq === us?.seq;
    });
  });

  it("fails over, and answers each tenant from its own documents there", async () => {
    const up = estate();
    await eventually("the standby to be ready", async () => {
      const { workflows } = await up.control.status();
      return workflows.every(({ standbys }) => standbys.every(({ ready }) => ready !== false));
    });
    await up.supervisor.killRegion("eu-west");
    const acme = callerOf(up, "us-east");
    await eventually("us-east to serve", async () => {
      const told = await ask(acme, "support-search", QUESTION).catch(() => null);
      return told?.headers.get(HEADERS.region) === "us-east" && told.text.includes("19:15");
    });
    assert.match((await ask(acme, "support-search", MARKER)).text, /quillfeather-7731/);
    const bolt = callerOf(up, "us-east", { key: KEYS.bolt });
    assert.doesNotMatch((await ask(bolt, "support-search", MARKER)).text, /quillfeather-7731/);
  });
}
