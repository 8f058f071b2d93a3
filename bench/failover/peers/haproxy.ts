import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { findProgram, freePort, untilListening } from "../../support/bench.ts";
import { type StartSite, watchWith } from "../site.ts";
import { MODEL, type Place, VICTIM } from "../victims.ts";

/** Why it cannot be had here; null when it can. */
export function haproxyMissing(): string | null {
  return findProgram("haproxy") === null
    ? "haproxy is not installed (Debian: apt-get install haproxy)"
    : null;
}

export const startHaproxy: StartSite = async (bench, { places }, round) => {
  const port = await freePort();
  const file = join(bench.folder, `haproxy-${round}.cfg`);
  const socket = join(bench.folder, `haproxy-${round}.sock`);
  writeFileSync(file, config(port, socket, places));
  const name = `haproxy-${round}`;
  const child = bench.start(name, [findProgram("haproxy") ?? "haproxy", "-f", file]);
  await untilListening(port, child, () => bench.logOf(name));
  return {
    gateways: [`http://127.0.0.1:${port}`],
    model: MODEL,
    headers: {},
    watch: async (clock) => watchWith([() => firstDown(socket)], clock),
    stop: async () => void child.kill("SIGKILL"),
  };
};

/**
 * As somebody would write it who knows it well and asks the same of it as of us: the victim's
 * runtimes share the work, the other region's stand by.
 * - every retry goes to another server at once (`redispatch 1`), and a POST is retried, too;
 * - checks as often as our own probes; real answers count as well, three bad ones in a row are down;
 * - a stream's silence is bounded by the least that we would wait, a whole answer's as well: it
 *   tells them apart by the body.
 */
function config(port: number, socket: string, places: readonly Place[]): string {
  const servers = places.map(({ region, target, relayPort }) => {
    const standby = region === VICTIM ? "" : " backup";
    return `  server ${region}-${target} 127.0.0.1:${relayPort} check${standby}`;
  });
  return `global
  maxconn 8192
  stats socket ${socket} mode 600 level user
defaults
  mode http
  timeout connect 1s
  timeout client 65s
  timeout queue 10s
  timeout check 1s
  timeout server 10s
  option http-no-delay
  option abortonclose
frontend callers
  bind 127.0.0.1:${port}
  default_backend model
backend model
  balance roundrobin
  option allbackups
  option http-buffer-request
  http-request set-timeout server 5s if { req.body -m sub '"stream":true' }
  retries 3
  retry-on all-retryable-errors
  option redispatch 1
  http-reuse always
  option httpchk GET /health
  default-server inter 500ms fastinter 250ms downinter 500ms fall 3 rise 2 observe layer7 error-limit 3 on-error mark-down
${servers.join("\n")}
`;
}

/** The first server that it holds for down, by its own statistics. */
async function firstDown(socket: string): Promise<string | null> {
  const [head = "", ...rows] = (await ask(socket, "show stat\n")).split("\n");
  const columns = head.replace("# ", "").split(",");
  const [server, status] = [columns.indexOf("svname"), columns.indexOf("status")];
  const down = rows.map((row) => row.split(",")).find((row) => row[status]?.startsWith("DOWN"));
  return down === undefined ? null : `HAProxy marked ${down[server]} down`;
}

function ask(path: string, question: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(path, () => socket.write(question));
    socket.on("data", (bytes) => {
      text += bytes;
    });
    // Nothing is seen then: the next look may see more.
    socket.on("error", () => resolve(""));
    socket.on("close", () => resolve(text));
  });
}
