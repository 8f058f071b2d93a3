import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { APIError } from "openai";
import { keysOf } from "../../src/app/estate.ts";
import { sendChanges } from "../../src/app/local-estate.ts";
import type { SourceChange } from "../../src/model/change.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import { ask, callerOf, type Told } from "../support/callers.ts";
import { eventually, startSample, type TestEstate } from "../support/estate.ts";

/**
 * A revoke that only the lost region had: acknowledged, not shipped, and its number given again by
 * the region that takes over. Whoever asks with its position must never see the document again.
 */

const [EU, US] = ["eu-west", "us-east"] as const;
const INDEX = "handbook";
const REVOKED = "acme-contract";
const QUESTION = "Under which framework contract number do we ship mowers and spare parts?";
const SECRET = "MF-20418";
const PUBLIC = { audience: "public", labels: [], payload: {} };

describe("a revoke that a failover loses", () => {
  let up: TestEstate;

  before(async () => {
    up = await startSample();
  });
  after(async () => {
    await up?.stop();
  });

  const seqIn = async (region: string) =>
    (await up.control.status()).regions
      .find((one) => one.region === region)
      ?.indexes.find(({ index }) => index === INDEX)?.position.seq;

  async function send(change: SourceChange): Promise<string> {
    const signal = new AbortController().signal;
    const about = { index: INDEX, changes: [change], signal };
    const sent = await sendChanges(up.estate, up.control, keysOf(up.estate).token, about);
    return sent?.minPosition ?? assert.fail("no position was told");
  }

  const revoke = () => send({ op: "delete", id: REVOKED, sourceTime: Date.now() });

  async function askWith(position: string, workflow = "support-search"): Promise<Told> {
    const client = callerOf(up, US).withOptions({
      defaultHeaders: { [HEADERS.minPosition]: position },
    });
    return ask(client, workflow, QUESTION);
  }

  it("is never answered against by who asks with its position", async () => {
    await eventually("both copies to be level", async () => {
      const [eu, us] = [await seqIn(EU), await seqIn(US)];
      return eu !== undefined && eu > 0 && eu === us;
    });
    // Not merely stopped: it may have asked what comes next, and would read the answer later.
    await up.supervisor.killProcess(`agent:${US}`);
    const position = await revoke();
    await up.faults.killRegion(EU, 600_000);
    await up.supervisor.startProcess(`agent:${US}`);
    await eventually("us-east to serve and own the index", async () => {
      const { workflows, ownerships, plans } = await up.control.status();
      const all = workflows.every(({ serving }) => serving.join() === US);
      return all && plans.length === 0 && ownerships.every(({ region }) => region === US);
    });
    // Its own change takes the number.
    const news = { id: "news", title: "News", text: "The depot of Ulm opens at six." };
    await send({ op: "upsert", document: { ...news, ...PUBLIC, sourceTime: Date.now() } });
    const lost = await askWith(position).then(
      () => assert.fail("it was answered"),
      (error: unknown) => error,
    );
    assert.ok(lost instanceof APIError);
    assert.deepEqual([lost.status, lost.code], [412, "position_lost"]);
    assert.match(lost.message, /is not in the history of the copy in us-east/);
    const without = await askWith(position, "assistant");
    assert.equal(without.headers.get(HEADERS.mode), "no-retrieval");
    assert.ok(!without.text.includes(SECRET));
    // What the number alone is worth, and why the position is told with a proof.
    const [number = ""] = position.split("/");
    assert.ok((await askWith(number)).text.includes(SECRET));
  });

  it("holds as soon as it is sent again, with the position that it has then", async () => {
    const again = await revoke();
    const { text, headers } = await askWith(again);
    assert.ok(!text.includes(SECRET), text);
    assert.match(headers.get(HEADERS.indexPosition) ?? "", /^handbook=\d+:[0-9a-f]{12}$/);
    const told = headers.get(HEADERS.indexPosition) ?? "";
    assert.equal((await askWith(told)).headers.get(HEADERS.mode), "normal");
  });
});
