import { parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

/**
 * PostgreSQL with the real pgvector, on the real wire protocol, in a thread of a test's (which is
 * told the port) or in a process of its own (`node <this> <folder>`, which prints it).
 *
 * It is one session behind many sockets: a transaction holds up all other connections until it
 * ends, and what is set outside of one is set for all.
 */
const folder: unknown = parentPort === null ? process.argv[2] : workerData;
const db = await PGlite.create({
  extensions: { vector },
  ...(typeof folder === "string" ? { dataDir: folder } : {}),
});
const server = new PGLiteSocketServer({ db, port: 0, maxConnections: 1_000 });
server.addEventListener("listening", (event) => {
  const port: unknown = event instanceof CustomEvent ? event.detail.port : null;
  if (parentPort === null) process.stdout.write(`${port}\n`);
  else parentPort.postMessage(port);
});
await server.start();
