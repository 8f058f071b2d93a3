import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** A real registry (Debian's docker-registry 2.8) on loopback, with a folder of its own. */
export interface LocalRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly pid: number;
  /** Where it keeps the bytes of a digest: to break them. */
  blobPath(digest: string): string;
  stop(): Promise<void>;
}

export interface RegistryConfig {
  /** Lines of YAML under `http:`, such as those of TLS. */
  readonly http?: string;
  /** Further lines of YAML, such as `auth:`. */
  readonly more?: string;
  readonly folder?: string;
}

/** Why tests with a program of this name are skipped: only ever because it is not installed. */
export function absent(...programs: readonly string[]): string | false {
  const missing = programs.filter((name) => findProgram(name) === null);
  if (missing.length === 0) return false;
  return `not installed: ${missing.join(", ")} (Debian: apt-get install ${missing.join(" ")})`;
}

export function findProgram(name: string): string | null {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

export async function startRegistry(config: RegistryConfig = {}): Promise<LocalRegistry> {
  const folder = config.folder ?? (await mkdtemp(join(tmpdir(), "tideover-registry-")));
  const file = join(folder, "config.yml");
  await writeFile(file, configText(folder, config));
  const child = spawn("docker-registry", ["serve", file], { stdio: ["ignore", "pipe", "pipe"] });
  // A test that ends in an error must not leave it behind.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const host = await listening(child);
  return {
    host,
    pid: child.pid ?? 0,
    blobPath: (digest) => {
      const hex = digest.slice("sha256:".length);
      return join(folder, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
    },
    stop: async () => {
      process.off("exit", kill);
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        await ended;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configText(folder: string, { http = "", more = "" }: RegistryConfig): string {
  return `version: 0.1
log: {level: info, formatter: text, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: ${folder}}
  delete: {enabled: true}
http:
  addr: 127.0.0.1:0
  secret: of these tests
${http}
${more}
`;
}

/** Its log says which port the kernel gave it. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let log = "";
    const onData = (data: Buffer): void => {
      log += data.toString();
      const [, host] = /listening on (127\.0\.0\.1:\d+)/.exec(log) ?? [];
      if (host !== undefined) resolve(host);
      // Only its start is of interest, and a pipe that nobody reads would stop it.
      if (log.length > 65_536) log = "";
    };
    child.stdout?.on("data", onData);
    child.stderr?.on("data", onData);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`docker-registry ended (${code}): ${log}`)));
  });
}
