import { startRuntime } from "../../src/runtime/server.ts";

/** One reference runtime as a process that can be killed and stopped. */
const [port = "0", tokenDelayMs = "0", model = "", modelDigest = ""] = process.argv.slice(2);

const { url } = await startRuntime({
  port: Number(port),
  model,
  modelDigest,
  embeddingModel: "unused",
  embeddingSalt: "",
  tokenDelayMs: Number(tokenDelayMs),
  // The queue of a full runtime is not what is measured here.
  maxConcurrent: 4_096,
});
process.send?.({ url });
process.once("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
