import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, freePort, untilListening } from "../support/bench.ts";
import { plainAim, type Start } from "./contender.ts";

/** One process, kept-alive connections to the upstream, answers not held back. */
export const nginx: Start = async (bench, upstream) => {
  const program = findProgram("nginx");
  if (program === null) throw new Error("nginx is not installed (Debian: apt-get install nginx)");
  const port = await freePort();
  const folder = join(bench.folder, "nginx");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "nginx.conf");
  writeFileSync(file, config(folder, port, upstream.port));
  const command = [program, "-p", folder, "-c", file, "-e", join(folder, "error.log")];
  const child = bench.start("nginx", command, { core: bench.cores.measured });
  await untilListening(port, child, () => bench.logOf("nginx"));
  return {
    name: "nginx",
    aim: plainAim(port),
    pid: child.pid,
    stop: () => void child.kill("SIGKILL"),
    note: "one process, no buffering, no access log",
  };
};

function config(folder: string, port: number, upstream: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${folder}/${kind};`)
    .join("\n");
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log crit;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
${temporary}
  keepalive_requests 1000000000;
  upstream model {
    server 127.0.0.1:${upstream};
    keepalive 1024;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=2048;
    location / {
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 10m;
    }
  }
}
`;
}
