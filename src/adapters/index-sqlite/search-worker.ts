import { parentPort, workerData } from "node:worker_threads";
import { faultOf } from "../../lib/fault.ts";
import type { Place } from "./connection.ts";
import { indexFile } from "./index-file.ts";
import { search } from "./search.ts";
import type { Asked, Told } from "./search-thread.ts";

/** The entry of the thread that searches one index file (`search-thread.ts` starts it). */
const place: Place = workerData;
const file = indexFile(place, true);

parentPort?.on("message", ({ id, query }: Asked) => parentPort?.postMessage(answer(id, query)));

function answer(id: number, query: Asked["query"]): Told {
  try {
    return { id, hits: file.use((connection) => search(connection, query)) };
  } catch (error) {
    return { id, fault: faultOf(error) };
  }
}
