import { spawn, spawnSync } from "node:child_process";
import { delimiter } from "node:path";

/**
 * A black hole that is one: packets dropped by the kernel, in a network namespace that this
 * benchmark has to itself. Nothing of the host's network is touched, and what is dropped ends with
 * the namespace's last process at the latest, however that ends.
 */

/** Loopback is down in a new namespace; without it nothing there could reach anything. */
const ENTER = 'ip link set lo up && exec "$0" "$@"';
const TRY = "ip link set lo up && iptables -w -A INPUT -p tcp --dport 9 -j DROP";

/** Users' PATHs leave out where these programs are. */
const env = { ...process.env, PATH: [process.env.PATH, "/usr/sbin", "/sbin"].join(delimiter) };

/** Whether this process stands in such a namespace; told by the one that started it there. */
let inside = false;

export function nowInside(): void {
  inside = true;
  // Our starter is gone, and with it whoever would have stopped us.
  process.once("disconnect", () => process.exit(1));
}

/** What stands for a network that drops packets, for the reader of the figures. */
export function blackHoleIs(): string {
  return inside
    ? "packets to and from the runtime are dropped by iptables, in a network namespace of this run"
    : "a relay takes everything and gives nothing (packets can be dropped only as root, or where user namespaces are allowed, with iptables)";
}

/** Drops what goes to and from a port of loopback. Gives the undoing; null outside a namespace. */
export function blackHole(port: number): (() => void) | null {
  if (!inside) return null;
  const rules = ["--dport", "--sport"].map((side) => [side, String(port), "-j", "DROP"]);
  for (const rule of rules) iptables("-A", rule);
  return () => {
    for (const rule of rules) iptables("-D", rule);
  };
}

function iptables(action: string, rule: readonly string[]): void {
  const { status, stderr } = spawnSync("iptables", ["-w", action, "INPUT", "-p", "tcp", ...rule], {
    env,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`iptables ${action} ${rule.join(" ")}: ${stderr.trim()}`);
}

/**
 * Runs one of our files again in a network namespace of its own; gives its exit code. null when no
 * such namespace, or no iptables, can be had here.
 */
export async function runInside(file: string, args: readonly string[]): Promise<number | null> {
  const unshare = waysIn().find(
    (way) => spawnSync("unshare", [...way, "sh", "-c", TRY], { env }).status === 0,
  );
  if (unshare === undefined) return null;
  const command = [...unshare, "sh", "-c", ENTER, process.execPath, file, ...args];
  // The channel tells the run when we are gone.
  const child = spawn("unshare", command, { env, stdio: ["inherit", "inherit", "inherit", "ipc"] });
  // A terminal's Ctrl-C reaches it, too; it cleans up, and we end when it has.
  process.on("SIGINT", () => undefined);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/** Root needs no more; anybody else is root in a user namespace, where the kernel allows those. */
function waysIn(): readonly (readonly string[])[] {
  return process.getuid?.() === 0 ? [["--net"]] : [["--map-root-user", "--net"]];
}
