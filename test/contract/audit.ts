import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { AuditRecord } from "../../src/model/audit.ts";
import type { AuditLog } from "../../src/ports/audit.ts";

/** One fresh audit log. */
export interface AuditWorld {
  /** Another handle on the same log, as the agent has beside the gateway's. */
  open(): Promise<AuditLog>;
  end(): Promise<void>;
}

/** A whole record; what a test does not care about is filled in. */
export function auditRecord(requestId: string, more: Partial<AuditRecord> = {}): AuditRecord {
  return {
    at: 1_767_225_600_000,
    requestId,
    region: "eu-west",
    tenant: "acme",
    workflow: "search",
    epoch: 3,
    snapshot: 7,
    mode: null,
    releaseDigest: `sha256:${"0".repeat(64)}`,
    promptVersion: null,
    watermark: "12",
    sources: ["handbook/leave"],
    forwardedTo: null,
    target: "local",
    attempts: [{ target: "local", outcome: "200", tookMs: 3 }],
    status: 200,
    outcome: "complete",
    promptTokens: 10,
    completionTokens: 20,
    tookMs: 4,
    ...more,
  };
}

/** What every adapter of the audit port gives (see src/ports/audit.ts). */
export function auditContract(name: string, makeLog: () => Promise<AuditWorld>): void {
  describe(`audit contract: ${name}`, () => {
    let world: AuditWorld;
    let log: AuditLog;
    let reader: AuditLog;

    before(async () => {
      world = await makeLog();
      log = await world.open();
      reader = await world.open();
    });
    after(() => world.end());

    test("a record is found, whole, once its append has resolved, by any handle", async () => {
      const record = auditRecord("whole", {
        tenant: 'Zoë \n\u2028 "quoted"',
        mode: "no-retrieval",
      });
      await log.append(record);
      assert.deepEqual(await log.find("whole"), record);
      assert.deepEqual(await reader.find("whole"), record);
    });

    test("a request that was never recorded is null", async () => {
      await log.append(auditRecord("present"));
      assert.equal(await log.find("absent"), null);
      assert.equal(await log.find("presen"), null);
    });

    test("a request is found by its id alone, not by its id in another member", async () => {
      await log.append(auditRecord("other-request", { target: "in-another-member" }));
      assert.equal(await log.find("in-another-member"), null);
    });

    test("of two records of one request, the newest is found", async () => {
      await log.append(auditRecord("twice", { status: 502, outcome: "failed" }));
      await log.append(auditRecord("between"));
      await log.append(auditRecord("twice", { status: 200 }));
      assert.equal((await reader.find("twice"))?.status, 200);
    });

    test("of many records appended at once, none is lost", async () => {
      const ids = Array.from({ length: 500 }, (_, n) => `burst-${n}`);
      await Promise.all(ids.map((id) => log.append(auditRecord(id))));
      for (const id of ids.filter((_, n) => n % 50 === 0)) {
        assert.equal((await reader.find(id))?.requestId, id);
      }
    });

    test("appends of one handle keep their order", async () => {
      const all = Array.from({ length: 50 }, (_, n) =>
        auditRecord("in-order", { status: 200 + n }),
      );
      await Promise.all(all.map((record) => log.append(record)));
      assert.equal((await log.find("in-order"))?.status, 249);
    });

    test("the 10,000 newest are searched, and no more", async () => {
      await log.append(auditRecord("too-old"));
      await log.append(auditRecord("just-within"));
      const fill = Array.from({ length: 9_999 }, (_, n) => log.append(auditRecord(`fill-${n}`)));
      await Promise.all(fill);
      assert.equal((await reader.find("just-within"))?.requestId, "just-within");
      assert.equal(await reader.find("too-old"), null);
    });

    test("what was under way is kept by close; after it, an append is refused", async () => {
      const closing = await world.open();
      const last = closing.append(auditRecord("last-words"));
      await closing.close();
      await last;
      assert.equal((await reader.find("last-words"))?.requestId, "last-words");
      await assert.rejects(closing.append(auditRecord("too-late")));
      assert.equal(await reader.find("too-late"), null);
    });
  });
}
