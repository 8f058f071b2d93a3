import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, freePort, untilListening } from "../support/bench.ts";
import { plainAim, type Start } from "./contender.ts";

/** One thread, as every contender has one core. */
export const haproxy: Start = async (bench, upstream) => {
  const program = findProgram("haproxy");
  if (program === null)
    throw new Error("haproxy is not installed (Debian: apt-get install haproxy)");
  const port = await freePort();
  const file = join(bench.folder, "haproxy.cfg");
  writeFileSync(file, config(port, upstream.port));
  const child = bench.start("haproxy", [program, "-f", file], { core: bench.cores.measured });
  await untilListening(port, child, () => bench.logOf("haproxy"));
  return {
    name: "haproxy",
    aim: plainAim(port),
    pid: child.pid,
    stop: () => void child.kill("SIGKILL"),
    note: "one thread, HTTP mode",
  };
};

function config(port: number, upstream: number): string {
  return `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 10m
  timeout server 10m
  option http-no-delay
  http-reuse always
frontend callers
  bind 127.0.0.1:${port}
  default_backend model
backend model
  server upstream 127.0.0.1:${upstream}
`;
}
