import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { EstateStatus } from "../../src/api/status.ts";
import { keysOf } from "../../src/app/estate.ts";
import { sendChanges } from "../../src/app/local-estate.ts";
import { messageOf } from "../../src/lib/errors.ts";
import { type AuditRecord, auditRecordSchema } from "../../src/model/audit.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import { ask, callerOf } from "../support/callers.ts";
import { type Change, eventually, KEYS, startSample, type TestEstate } from "../support/estate.ts";

/**
 * Bad copies and a late pipeline in the demo estate: real processes, real files damaged behind their
 * backs, and callers who ask all the while and know the right answers.
 */

const [EU, US] = ["eu-west", "us-east"] as const;
const INDEX = "handbook";
const MAX_AGE_MS = 4_000;
/** Of the sample's `detection`: an agent looks at a small copy as a whole this often. */
const INTERVAL_MS = 500;
/** Between two questions of one caller: four of them stay within the sample's rate limit. */
const PACE_MS = 150;
const TARGET = (region: string) =>
  ["regions", region, "components", "runtime", "targets", 0, "reference"] as const;

/** Questions whose answers stand in one document each, and what damage would make of them. */
const CASES = [
  {
    tenant: "acme",
    question: "Under which framework contract number do we ship mowers and spare parts?",
    document: "acme-contract",
    right: "MF-20418",
    wrong: "MF-66666",
  },
  {
    tenant: "acme",
    question: "Which extension is the night duty phone for an urgent escalation?",
    document: "acme-escalation",
    right: "extension 4471",
    wrong: "extension 6666",
  },
] as const;

interface Answered {
  readonly question: number;
  readonly text: string;
  readonly headers: Headers;
}

describe("indexes in the demo estate", () => {
  let up: TestEstate;

  before(async () => {
    up = await startSample([
      [["indexes", INDEX, "freshness"], { maxAge: `${MAX_AGE_MS}ms` }],
      // A model that thinks would answer too few callers while a copy is bad.
      ...[EU, US].map((region): Change => [[...TARGET(region), "tokenDelay"], "0ms"]),
    ]);
  });
  after(async () => {
    await up?.stop();
  });

  const status = (): Promise<EstateStatus> => up.control.status();
  const copyIn = async (region: string) => {
    const { regions } = await status();
    const found = regions.find((one) => one.region === region);
    return found?.indexes.find(({ index }) => index === INDEX);
  };
  const standby = async (region: string) => {
    const { workflows } = await status();
    const search = workflows.find(({ workflow }) => workflow === "support-search");
    return search?.standbys.find((one) => one.region === region);
  };
  const servedBy = async () => {
    const { workflows } = await status();
    return workflows.find(({ workflow }) => workflow === "support-search")?.serving.join();
  };

  function vouch(): Promise<unknown> {
    const { token } = keysOf(up.estate);
    const changes = [{ op: "watermark" as const, sourceTime: Date.now() }];
    const signal = new AbortController().signal;
    return sendChanges(up.estate, up.control, token, { index: INDEX, changes, signal });
  }

  /** A pipeline that has nothing to say, and says so. */
  function startHeartbeat(): () => Promise<void> {
    const stopping = new AbortController();
    const beat = async (): Promise<void> => {
      while (!stopping.signal.aborted) {
        await vouch();
        await pause(250, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    };
    const beating = beat();
    return async () => {
      stopping.abort();
      await beating;
    };
  }

  /** Callers at both regions who go on asking, and remember every answer. */
  function startCallers() {
    const stopping = new AbortController();
    const answers: Answered[] = [];
    const failures: string[] = [];
    const one = async (region: string, first: number): Promise<void> => {
      const client = callerOf(up, region, { key: KEYS.acme });
      for (let turn = first; !stopping.signal.aborted; turn += 1) {
        const question = turn % CASES.length;
        await ask(client, "support-search", CASES[question]?.question).then(
          (told) => void answers.push({ question, ...told }),
          (error) => void failures.push(messageOf(error)),
        );
        await pause(PACE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    };
    const ended = Promise.all([one(EU, 0), one(EU, 1), one(US, 0), one(US, 1)]);
    return {
      async stop() {
        stopping.abort();
        await ended;
        return { answers, failures };
      },
    };
  }

  /** Alters what the engine holds, past everything that would notice. */
  function tamper(region: string, work: (file: DatabaseSync) => void): void {
    const file = new DatabaseSync(up.estate.data.region(region).index(INDEX), { timeout: 5_000 });
    try {
      work(file);
    } finally {
      file.close();
    }
  }

  function falsify(file: DatabaseSync, { document, right, wrong }: (typeof CASES)[number]): void {
    const sql = `UPDATE texts SET text = replace(text, ?, ?)
      WHERE n = (SELECT n FROM records WHERE id = ?)`;
    const { changes } = file.prepare(sql).run(right, wrong, document);
    assert.equal(changes, 1, `${document} was altered`);
  }

  /** Shows everybody a document that is one tenant's. */
  function expose(file: DatabaseSync, tenant: string): void {
    const sql = `UPDATE records SET scope = (
        SELECT p.scope FROM scopes p JOIN scopes o ON o.embedding = p.embedding
        WHERE p.audience = 'public' AND o.audience = ? LIMIT 1)
      WHERE scope IN (SELECT scope FROM scopes WHERE audience = ?)`;
    const { changes } = file.prepare(sql).run(tenant, tenant);
    assert.ok(Number(changes) > 0, `documents of ${tenant} were exposed`);
  }

  function auditOf(region: string): AuditRecord[] {
    const lines = readFileSync(up.estate.data.region(region).audit, "utf8").split("\n");
    return lines
      .filter((line) => line !== "")
      .map((line) => auditRecordSchema.parse(JSON.parse(line)));
  }

  function judge(answers: readonly Answered[]): void {
    for (const { question, text } of answers) {
      const { right, wrong, document } = CASES[question] ?? assert.fail();
      assert.ok(!text.includes(wrong), `a falsified ${document} was told: ${text}`);
      assert.ok(text.includes(right), `${document} was not told rightly: ${text}`);
    }
    const sources = [EU, US]
      .flatMap(auditOf)
      .flatMap(({ tenant, sources }) => sources.map((source) => ({ tenant, source })));
    const foreign = sources.filter(
      ({ tenant, source }) =>
        /^(acme|bolt|cobalt)-/.test(source) && !source.startsWith(`${tenant}-`),
    );
    assert.deepEqual(foreign, [], "nobody was shown another tenant's document");
  }

  it("whose pipeline stops mark their answers within the bound, and move nothing", async (t) => {
    const stale = async (region: string) =>
      (await ask(callerOf(up, region), "support-search")).headers.get(HEADERS.stale);
    const stopHeartbeat = startHeartbeat();
    await eventually("a fresh answer", async () => (await stale(EU)) === null);
    const until = performance.now() + 1.5 * MAX_AGE_MS;
    while (performance.now() < until) assert.equal(await stale(EU), null, "the pipeline lives");
    const { seq } = (await copyIn(EU))?.position ?? assert.fail();
    await stopHeartbeat();
    const stoppedAt = performance.now();
    let [lastFreshMs, markedMs] = [0, 0];
    await eventually("a marked answer", async () => {
      markedMs = performance.now() - stoppedAt;
      if ((await stale(EU)) !== null) return true;
      lastFreshMs = markedMs;
      return false;
    });
    t.diagnostic(
      `asked ${Math.round(lastFreshMs)} ms after the last heartbeat: fresh; after ${Math.round(markedMs)} ms: marked`,
    );
    assert.ok(lastFreshMs <= MAX_AGE_MS, "whoever asks later than the bound is told");
    assert.match((await stale(US)) ?? "", /^handbook;age=\d+$/);
    const { headers, text } = await ask(callerOf(up, EU), "support-search", CASES[0].question);
    assert.equal(headers.get(HEADERS.mode), "normal");
    assert.ok(text.includes(CASES[0].right));
    await eventually("the status to say it", async () => {
      const { workflows } = await status();
      return workflows.some(({ lastDecision }) =>
        /vouched for handbook up to .* ago/.test(lastDecision),
      );
    });
    assert.deepEqual((await up.control.plans()).plans, []);
    // Coalesced: a heartbeat each quarter of a second for six seconds is no 24 entries.
    assert.ok(((await copyIn(EU))?.position.seq ?? 0) - seq <= 2);
    await vouch();
    await eventually("an answer without a mark", async () => (await stale(EU)) === null);
  });

  it("whose standby's copy is damaged lose the standby within a probe interval, until it is repaired", async (t) => {
    await eventually("a ready standby", async () => (await standby(US))?.ready === true);
    const callers = startCallers();
    tamper(US, (file) => falsify(file, CASES[0]));
    const damagedAt = performance.now();
    await eventually(
      "the standby to be not ready",
      async () => (await standby(US))?.ready === false,
    );
    const foundMs = performance.now() - damagedAt;
    t.diagnostic(
      `not ready ${Math.round(foundMs)} ms after the damage: ${(await standby(US))?.because}`,
    );
    // An interval, the proof of readiness, and what a busy machine adds.
    assert.ok(foundMs < INTERVAL_MS + 4_500, `${foundMs} ms`);
    await eventually("the copy to be repaired", async () => (await standby(US))?.ready === true);
    t.diagnostic(`ready again ${Math.round(performance.now() - damagedAt)} ms after the damage`);
    const { answers, failures } = await callers.stop();
    assert.deepEqual(failures, []);
    assert.ok(answers.length > 10);
    judge(answers);
    assert.deepEqual(
      (await up.control.plans()).plans,
      [],
      "a replica that repairs itself moves nothing",
    );
  });

  it("whose active copy is damaged give no wrong source and no wrong word, and fail over", async (t) => {
    await eventually("a ready standby", async () => (await standby(US))?.ready === true);
    const callers = startCallers();
    await pause(1_000);
    tamper(EU, (file) => {
      for (const one of CASES) falsify(file, one);
      expose(file, "bolt");
    });
    const damagedAt = performance.now();
    await eventually("a failover", async () => (await servedBy()) === US);
    t.diagnostic(
      `served by ${US} ${Math.round(performance.now() - damagedAt)} ms after the damage`,
    );
    await eventually("the plan to end", async () => (await status()).plans.length === 0);
    await pause(1_000);
    const { answers, failures } = await callers.stop();
    t.diagnostic(`${answers.length} answers, ${failures.length} failures`);
    assert.deepEqual(failures, []);
    assert.ok(answers.some(({ headers }) => headers.get(HEADERS.region) === EU));
    assert.ok(answers.some(({ headers }) => headers.get(HEADERS.region) === US));
    judge(answers);
    const { plans } = await up.control.plans();
    assert.deepEqual(
      plans.map(({ workflow, decision }) => [workflow, decision.kind, decision.domain]),
      [["support-search", "failover", "index-corruption"]],
    );
    // Not its owner any more, the damaged copy is repaired from the one that took over.
    await eventually("the damaged copy to be whole", async () => {
      const copy = await copyIn(EU);
      return copy?.standing?.kind === "whole" && copy.fault === null;
    });
    await eventually("eu-west to stand by", async () => (await standby(EU))?.ready === true);
    const { ownerships } = await status();
    assert.equal(ownerships.find(({ index }) => index === INDEX)?.region, US);
  });
});
