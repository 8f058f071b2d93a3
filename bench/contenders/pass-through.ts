import { firstMessage } from "../support/bench.ts";
import { plainAim, type Start } from "./contender.ts";

export const passThrough: Start = async (bench, upstream) => {
  const child = bench.startOwn("pass-through.ts", [upstream.url], bench.cores.measured);
  const { port } = await firstMessage<{ readonly port: number }>(child);
  return {
    name: "passThrough",
    aim: plainAim(port),
    pid: child.pid,
    stop: () => void child.kill("SIGKILL"),
    note: "bare node:http and undici, nothing judged or recorded",
  };
};
