import { auditRecord } from "../../../test/contract/audit.ts";
import { openJsonlAudit } from "./audit.ts";

/**
 * One writer of the audit log's tests, to be killed: `audit.fixture.ts PATH`. Appends for ever,
 * several records at a time, and says each request id on stdout once its append has resolved.
 */
const log = openJsonlAudit({ path: process.argv[2] ?? "", maxBytes: 256 * 1024 });
for (let n = 0; ; n += 5) {
  const ids = [n, n + 1, n + 2, n + 3, n + 4].map((id) => `request-${id}`);
  await Promise.all(
    ids.map(async (id) => {
      await log.append(auditRecord(id, { sources: ["x".repeat(3_000)] }));
      process.stdout.write(`${id}\n`);
    }),
  );
}
