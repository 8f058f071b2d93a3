import { join } from "node:path";
import { pino } from "pino";
import { openJsonlAudit } from "../../src/adapters/audit-jsonl/audit.ts";
import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import { releaseVerifier } from "../../src/app/release-trust.ts";
import { startGateway } from "../../src/gateway/server.ts";
import { SnapshotHolder } from "../../src/gateway/snapshots.ts";

/** One region's real gateway as a process: its own files, its own verification, no shared memory. */
const [region = "", port = "0", folder = "", trusted = "", token = ""] = process.argv.slice(2);

const clock = createSystemClock();
const audit = await openJsonlAudit({ path: join(folder, region, "audit.jsonl") });
let ids = 0;
const gateway = await startGateway({
  region,
  host: "127.0.0.1",
  port: Number(port),
  snapshots: SnapshotHolder.signed({
    estate: "bench",
    region,
    verifyRelease: releaseVerifier({ trust: () => [], clock }),
    file: join(folder, region, "snapshot.json"),
    trusted: [Buffer.from(trusted, "base64").toString("utf8")],
    clock,
  }),
  indexes: new Map(),
  audit,
  clock,
  logger: pino({ level: "silent" }),
  keys: () => undefined,
  requestId: () => `${region}-${++ids}`,
  estateToken: token,
});
process.send?.({ url: gateway.url });
process.once("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
