import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  MemoryAudit,
  post,
  QUESTION,
  ROUTE,
  realClock,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import {
  DIMENSIONS,
  embeds,
  type FakeUpstream,
  startUpstream,
} from "../../test/support/upstream.ts";
import type { Snapshot, WorkflowRoute } from "../model/snapshot.ts";
import type { EmbeddedChange } from "../ports/index.ts";
import { MemoryIndex } from "../sim/index.ts";
import { positionWord } from "../wire/position.ts";
import type { Gateway } from "./server.ts";
import type { SnapshotHolder } from "./snapshots.ts";

const CHAT = "/v1/chat/completions";
const DAY = 86_400_000;

interface Region {
  readonly upstream: FakeUpstream;
  readonly holder: SnapshotHolder;
  readonly audit: MemoryAudit;
  readonly index: MemoryIndex;
  readonly gateway: Gateway;
}

function document(id: string, over: Partial<EmbeddedChange> = {}): EmbeddedChange {
  const vector = Buffer.alloc(DIMENSIONS * 4);
  vector.writeFloatLE(1, 0);
  return {
    op: "upsert",
    id,
    title: id,
    text: `Text of ${id}.`,
    audience: "public",
    labels: [],
    payload: {},
    sourceTime: 1_000,
    embedding: "lexical-1",
    vector: vector.toString("base64"),
    ...over,
  };
}

function without(op: "delete" | "watermark", over: Partial<EmbeddedChange>): EmbeddedChange {
  const none = { title: "", text: "", audience: "", labels: [], payload: {}, vector: "" };
  return { op, id: "", sourceTime: 2_000, embedding: "lexical-1", ...none, ...over };
}

describe("an index that", () => {
  let world: World;
  let eu: Region;
  let us: Region;
  const clock = { now: () => nowMs };
  let nowMs: number;

  beforeEach(async () => {
    nowMs = 10 * DAY;
    world = new World();
    eu = await start("eu-west");
    us = await start("us-east");
    await eu.index.append(1, [document("leave"), document("rates", { audience: "acme" })]);
    await ship();
  });
  afterEach(() => world.end());

  async function start(region: string): Promise<Region> {
    const upstream = await world.own(startUpstream(region));
    upstream.embeddings = embeds();
    const holder = await world.holder(null);
    const audit = new MemoryAudit();
    const index = new MemoryIndex();
    const gateway = await world.gateway({
      region,
      snapshots: holder,
      audit,
      indexes: new Map([["handbook", index]]),
      clock: { ...realClock, now: clock.now },
      random: () => 0,
      timeouts: { movedGraceMs: 0, holdMs: 4_000, positionMs: 60 },
    });
    return { upstream, holder, audit, index, gateway };
  }

  /** The replica takes all that the owner has. */
  async function ship(): Promise<void> {
    const { seq } = await us.index.position();
    await us.index.apply(await eu.index.entriesAfter(seq, 100));
  }

  type Retrieval = Partial<NonNullable<WorkflowRoute["retrieval"]>>;

  function served(number: number, serving: string[], retrieval: Retrieval = {}): Snapshot {
    const whole = { index: "handbook", topK: 4, required: true, ...retrieval };
    return snapshotOf({
      number,
      regions: {
        "eu-west": regionOf(eu.gateway.url, eu.upstream.url),
        "us-east": regionOf(us.gateway.url, us.upstream.url),
      },
      workflows: { support: { ...ROUTE, epoch: number, serving, retrieval: whole } },
    });
  }

  async function tell(snapshot: Snapshot, ...regions: Region[]): Promise<void> {
    for (const { holder } of regions) await holder.offer(world.sign(snapshot));
  }

  async function ask(region: Region, headers: Record<string, string> = {}) {
    const response = await post(region.gateway.url, QUESTION, headers);
    const text = await response.text();
    const record = await region.audit.find(response.headers.get("x-request-id") ?? "");
    return {
      status: response.status,
      of: (name: string) => response.headers.get(name),
      text,
      record,
    };
  }

  const status = async (region: Region) =>
    (await fetch(`${region.gateway.url}/tideover/v1/status`)).json() as Promise<{
      troubles: { target: string; domain: string; standing: string; because: string }[];
    }>;

  describe("is damaged", () => {
    it("keeps the caller waiting, and lets him be answered from the good copy that opens", async () => {
      await tell(served(1, ["eu-west"]), eu, us);
      await eu.index.quarantine("2 records differ");
      const held = ask(eu);
      // The request has met the damage when the gateway's page tells of it.
      while ((await status(eu)).troubles.length === 0);
      await tell(served(2, ["us-east"]), eu, us);
      const answer = await held;
      assert.equal(answer.status, 200);
      assert.equal(answer.of("x-tideover-region"), "us-east");
      const [first] = answer.record?.attempts ?? [];
      assert.match(`${first?.target}: ${first?.outcome}`, /^index:handbook: .*2 records differ/);
      assert.deepEqual(eu.upstream.askedAt(CHAT), [], "no model was asked without documents");
    });

    it("keeps whoever was forwarded waiting as well, and his region is not blamed", async () => {
      await tell(served(1, ["eu-west"]), eu, us);
      await eu.index.quarantine("2 records differ");
      const held = ask(us);
      while ((await status(eu)).troubles.length === 0);
      await tell(served(2, ["us-east"]), us);
      const answer = await held;
      assert.deepEqual([answer.status, answer.of("x-tideover-region")], [200, "us-east"]);
      assert.match(answer.record?.attempts[0]?.outcome ?? "", /503, index_damaged/);
      const { troubles } = await status(us);
      assert.deepEqual(
        troubles.filter(({ standing }) => standing === "out"),
        [],
      );
    });

    it("answers at once from another region that serves", async () => {
      await tell(served(1, ["eu-west", "us-east"]), eu, us);
      await eu.index.quarantine("2 records differ");
      const answer = await ask(eu);
      assert.deepEqual([answer.status, answer.of("x-tideover-region")], [200, "us-east"]);
    });

    it("never tells a damaged record, and says which copy it is of", async () => {
      await tell(served(1, ["eu-west", "us-east"]), eu, us);
      eu.index.tamper("leave", { text: "Text of somebody." });
      const answer = await ask(eu);
      assert.equal(answer.of("x-tideover-region"), "us-east");
      const { troubles } = await status(eu);
      assert.partialDeepStrictEqual(troubles, [
        {
          target: "index:handbook",
          region: "eu-west",
          domain: "index-corruption",
          standing: "failing",
        },
      ]);
    });

    it("is done without by a workflow that can, and by nobody else", async () => {
      await tell(served(1, ["eu-west"], { required: false }), eu, us);
      await eu.index.quarantine("2 records differ");
      const answer = await ask(eu);
      assert.deepEqual([answer.status, answer.of("x-tideover-mode")], [200, "no-retrieval"]);
    });

    it("is refused at once to who asks how it is now", async () => {
      await tell(served(1, ["eu-west"]), eu, us);
      await eu.index.quarantine("2 records differ");
      const answer = await ask(eu, { "x-tideover-readiness": "estate-token" });
      assert.equal(answer.status, 503);
      assert.match(answer.text, /2 records differ.*"code":"retrieval_unavailable"/s);
    });

    it("is asked again as soon as it is let out of quarantine", async () => {
      await tell(served(1, ["eu-west"]), eu, us);
      await eu.index.quarantine("2 records differ");
      const held = ask(eu);
      while ((await status(eu)).troubles.length === 0);
      await eu.index.quarantine(null);
      assert.equal((await held).status, 200);
      assert.deepEqual((await status(eu)).troubles, []);
    });
  });

  describe("lags behind the position that a caller needs", () => {
    const need = (seq: number | string) => ({ "x-tideover-min-position": String(seq) });

    it("never serves what was revoked: it waits, and then refuses with the position it has", async () => {
      await tell(served(1, ["us-east"]), us);
      const { seq } = await eu.index.append(2, [without("delete", { id: "leave" })]);
      assert.deepEqual((await ask(us)).record?.sources, ["leave", "rates"]);
      const answer = await ask(us, need(seq));
      assert.equal(answer.status, 503);
      assert.match(answer.text, /us-east is at 2 and had not reached 3 .*position_not_reached/s);
      assert.ok(answer.of("retry-after-ms"));

      const waiting = ask(us, need(`handbook=${seq}`));
      await ship();
      const after = await waiting;
      assert.deepEqual([after.status, after.record?.sources], [200, ["rates"]]);
      assert.match(after.of("x-tideover-index-watermark") ?? "", /^3@/);
    });

    it("is refused when it takes back, while it is searched, the change that the caller needs", async () => {
      await tell(served(1, ["us-east"]), us);
      await us.index.append(2, [without("delete", { id: "leave" })]);
      const search = us.index.search.bind(us.index);
      us.index.search = async (query) => {
        await us.index.rewindTo(2);
        return search(query);
      };
      const answer = await ask(us, need(3));
      assert.equal(answer.status, 503);
      assert.match(answer.text, /position_not_reached/);
      assert.deepEqual(answer.record?.sources, []);
    });

    it("serves no document that a tenant lost the right to see", async () => {
      await tell(served(1, ["us-east"]), us);
      const { seq } = await eu.index.append(2, [document("rates", { audience: "bolt" })]);
      const waiting = ask(us, need(seq));
      await ship();
      assert.deepEqual((await waiting).record?.sources, ["leave"]);
    });

    it("is done without by a workflow that can", async () => {
      await tell(served(1, ["us-east"], { required: false }), us);
      const answer = await ask(us, need(99));
      assert.deepEqual([answer.status, answer.of("x-tideover-mode")], [200, "no-retrieval"]);
      assert.deepEqual(answer.record?.sources, []);
    });

    it("gets the caller's wish from the gateway that forwards", async () => {
      await tell(served(1, ["us-east"]), eu, us);
      const answer = await ask(eu, need(99));
      assert.equal(answer.status, 503);
      assert.match(answer.text, /position_not_reached/);
    });

    describe("that was lost in an unplanned failover", () => {
      /** eu-west revoked `leave`, told its pipeline so, and was gone before it had shipped that. */
      async function failedOver(retrieval: Retrieval = {}) {
        const revoked = await eu.index.append(1, [without("delete", { id: "leave" })]);
        await us.index.append(2, [document("news", { sourceTime: 3_000 })]);
        await tell(served(2, ["us-east"], retrieval), us);
        return positionWord(revoked, 1);
      }

      it("is never served from: the number alone would, for it is another change's by now", async () => {
        const position = await failedOver();
        assert.deepEqual((await ask(us, need(3))).record?.sources, ["leave", "news", "rates"]);
        for (const word of [position, `handbook=${position}`, position.replace("/1", "")]) {
          const answer = await ask(us, need(word));
          assert.equal(answer.status, 412);
          assert.match(
            answer.text,
            /The change 3 of index handbook .* was lost .*Send the change .*"code":"position_lost"/s,
          );
          assert.deepEqual(answer.record?.sources, []);
        }
      });

      it("is done without by a workflow that can", async () => {
        const position = await failedOver({ required: false });
        const answer = await ask(us, need(position));
        assert.deepEqual([answer.status, answer.of("x-tideover-mode")], [200, "no-retrieval"]);
        assert.deepEqual(answer.record?.sources, []);
      });

      it("is served from again with the position that the change has when it is sent again", async () => {
        await failedOver();
        const again = await us.index.append(2, [without("delete", { id: "leave" })]);
        const answer = await ask(us, need(positionWord(again, 2)));
        assert.deepEqual([answer.status, answer.record?.sources], [200, ["news", "rates"]]);
      });

      it("is refused by the region that lost it as well, once it has taken it back", async () => {
        const position = await failedOver();
        await tell(served(3, ["eu-west"]), eu);
        assert.deepEqual((await ask(eu, need(position))).record?.sources, ["rates"]);
        await eu.index.rewindTo(2);
        await eu.index.apply(await us.index.entriesAfter(2, 9));
        assert.match((await ask(eu, need(position))).text, /position_lost/);
      });
    });

    it("is asked for by what an answer said, and refused where that cannot be proven any more", async () => {
      await tell(served(1, ["eu-west"]), eu, us);
      const first = await ask(us);
      const position = first.of("x-tideover-index-position") ?? assert.fail();
      assert.match(position, /^handbook=2:[0-9a-f]{12}$/);
      assert.equal((await ask(eu, need(position))).of("x-tideover-index-position"), position);
      await eu.index.append(1, [document("news")]);
      assert.equal((await ask(eu, need(position))).status, 200);
      await eu.index.trimLog(2);
      const refused = await ask(eu, need(position));
      assert.equal(refused.status, 412);
      assert.match(refused.text, /its log does not reach back so far.*position_unproven/s);
    });

    const others: [what: string, wish: string, status: number][] = [
      ["other indexes", "elsewhere=99", 200],
      ["several, one of them ours", "elsewhere=99, handbook=2", 200],
      ["nothing", "", 200],
      ["what is no position", "soon", 400],
      ["a position below zero", "handbook=-1", 400],
    ];
    for (const [what, wish, expected] of others) {
      it(`answers a wish for ${what} with ${expected}`, async () => {
        await tell(served(1, ["us-east"]), us);
        const answer = await ask(us, need(wish));
        assert.equal(answer.status, expected);
        if (expected === 400) assert.match(answer.text, /invalid_min_position/);
      });
    }
  });

  describe("has a late pipeline", () => {
    const freshness = { maxAge: 60_000, tenants: {}, stale: "label" } as const;
    const vouch = (agoMs: number, audience = "") =>
      eu.index.append(1, [without("watermark", { sourceTime: nowMs - agoMs, audience })]);

    it("is told of on the answer and in the audit, and the mode stays normal", async () => {
      await tell(served(1, ["eu-west"], { freshness }), eu, us);
      await vouch(60_000);
      assert.equal((await ask(eu)).of("x-tideover-stale"), null);
      nowMs += 12_345;
      const answer = await ask(eu);
      assert.equal(answer.of("x-tideover-stale"), "handbook;age=72");
      assert.deepEqual([answer.status, answer.of("x-tideover-mode")], [200, "normal"]);
      assert.equal(answer.record?.stale, "handbook;age=72");
      assert.deepEqual(answer.record?.sources, ["leave", "rates"]);
      const forwarded = await ask(us);
      assert.deepEqual(
        [forwarded.of("x-tideover-stale"), forwarded.record?.stale],
        ["handbook;age=72", "handbook;age=72"],
      );
    });

    it("that never vouched for anything is of unknown age", async () => {
      await tell(served(1, ["eu-west"], { freshness }), eu);
      assert.equal((await ask(eu)).of("x-tideover-stale"), "handbook;age=unknown");
    });

    it("for one tenant only is told of to that tenant only", async () => {
      const tenants = { acme: 5_000 };
      await tell(served(1, ["eu-west"], { freshness: { ...freshness, tenants } }), eu);
      await vouch(30_000);
      assert.equal((await ask(eu)).of("x-tideover-stale"), "handbook;age=30");
      const bolt = { authorization: "Bearer tdk-bolt-0123456789abcdef" };
      assert.equal((await ask(eu, bolt)).of("x-tideover-stale"), null);
      await vouch(1_000, "acme");
      assert.equal((await ask(eu)).of("x-tideover-stale"), null);
    });

    it("is done without where the workflow says so", async () => {
      const stale = "no-retrieval";
      const policy = { freshness: { ...freshness, stale }, required: false } as const;
      await tell(served(1, ["eu-west"], policy), eu);
      await vouch(90_000);
      const answer = await ask(eu);
      assert.deepEqual([answer.status, answer.of("x-tideover-mode")], [200, "no-retrieval"]);
      assert.deepEqual(
        [answer.of("x-tideover-stale"), answer.record?.sources],
        ["handbook;age=90", []],
      );
    });

    it("is refused where the workflow says so, but for the proof of a region", async () => {
      await tell(served(1, ["eu-west"], { freshness: { ...freshness, stale: "refuse" } }), eu, us);
      await vouch(90_000);
      const answer = await ask(eu);
      assert.equal(answer.status, 503);
      assert.match(answer.text, /\(handbook;age=90\).*"code":"stale_data"/s);
      assert.match((await ask(us)).text, /"code":"stale_data"/);
      const proven = await ask(eu, { "x-tideover-readiness": "estate-token" });
      assert.deepEqual([proven.status, proven.of("x-tideover-stale")], [200, "handbook;age=90"]);
      const canary = await ask(eu, { "x-tideover-canary": "estate-token" });
      assert.deepEqual([canary.status, canary.of("x-tideover-mode")], [200, "normal"]);
      assert.equal((await ask(eu, { "x-tideover-canary": "a caller's guess" })).status, 503);
    });

    it("is nobody's business where nobody judges it", async () => {
      await tell(served(1, ["eu-west"]), eu);
      assert.equal((await ask(eu)).of("x-tideover-stale"), null);
    });
  });
});
