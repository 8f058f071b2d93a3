import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { openPgvectorIndex } from "../../src/adapters/index-pgvector/index.ts";
import { makerOn } from "../../src/adapters/index-pgvector/maker.fixture.ts";
import { pgliteServer } from "../../src/adapters/index-pgvector/pglite.fixture.ts";
import { hnswSchema } from "../../src/model/index-engine.ts";
import { indexContract, searchContract } from "../contract/index.ts";
import { upsert } from "../contract/index-support.ts";
import { provesWhole } from "../contract/index-whole.ts";

const server = pgliteServer();

searchContract("pgvector", makerOn(server, {}));

// The kills are the writer's; the server outlives them and has to take back what was half done.
indexContract("pgvector by HNSW", makerOn(server, { hnsw: hnswSchema.parse({}) }), {
  durable: true,
});

const SERVER = fileURLToPath(
  new URL("../../src/adapters/index-pgvector/pglite-server.fixture.ts", import.meta.url),
);

/** A server process with its data in that folder. */
async function serve(t: TestContext, folder: string) {
  const child = spawn(process.execPath, [SERVER, folder], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [port] = await once(createInterface({ input: child.stdout }), "line");
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const kill = async (): Promise<void> => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  return { url, kill };
}

it("has all that it acknowledged after its PostgreSQL was killed", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "tideover-pg-"));
  t.after(() => rm(folder, { recursive: true }));
  const first = await serve(t, folder);
  const index = await openPgvectorIndex({ url: first.url, schema: "tideover_handbook" });
  let acknowledged = 0;
  const writing = (async () => {
    for (let turn = 0; ; turn++) {
      const changes = [0, 1, 2, 3, 4].map((n) => upsert(`d${turn % 3}${n}`, { text: `${turn}` }));
      acknowledged = (await index.append(1, changes)).seq;
      if (acknowledged === 50) void first.kill();
    }
  })();
  await assert.rejects(writing, { code: "INDEX_UNAVAILABLE" });
  await index.close();
  const second = await serve(t, folder);
  const again = await openPgvectorIndex({ url: second.url, schema: "tideover_handbook" });
  const { position } = await provesWhole(again);
  assert.ok(position.seq >= acknowledged, "an acknowledged write is gone");
  assert.equal(position.seq % 5, 0, "a batch of 5 was cut");
  await again.append(1, [upsert("more")]);
  await again.close();
  await second.kill();
});
