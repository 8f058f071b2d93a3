import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GATEWAY_FLAGS } from "../../src/app/process.ts";
import { type Bench, freePort, ROOT, untilListening } from "../support/bench.ts";
import {
  type Contender,
  KEY_HASH,
  MODEL,
  plainAim,
  type Start,
  type Upstream,
} from "./contender.ts";

/**
 * Tideover's gateway as users start it, with everything on: key check, rate limit (high, but
 * counted), token cap, a release's prompt put before the messages, an audit record of each request
 * in a real file, metrics. Standalone: no controller, which no request would ask anyway.
 */
export function tideover(workers: number): Start {
  return async (bench, upstream) => (await startTideover(bench, upstream, [], workers)).contender;
}

/** The same with flags of Node's own, and with the process: a profile is written when that ends. */
export async function startTideover(
  bench: Bench,
  upstream: Upstream,
  nodeFlags: readonly string[],
  workers = 1,
): Promise<{ readonly contender: Contender; readonly child: ChildProcess }> {
  const port = await freePort();
  const spec = writeEstate(bench, upstream, port);
  const data = join(bench.folder, "tideover-data");
  const main = join(ROOT, "src", "cli", "main.ts");
  const threads = ["--workers", String(workers)];
  const args = ["gateway", "--spec", spec, "--data", data, "--region", "here", ...threads];
  const child = bench.start(
    "tideover",
    [process.execPath, ...GATEWAY_FLAGS, ...nodeFlags, main, ...args],
    {
      // Several workers on one core would only show what their switching costs.
      core: workers === 1 ? bench.cores.measured : null,
      // The channel ends it when the benchmark is gone, however that came about.
      ipc: true,
      env: { TIDEOVER_LOG: "warn" },
    },
  );
  await untilListening(port, child, () => bench.logOf("tideover"));
  const on = "authentication, rate limit, policy, prompt, audit file and metrics on";
  const note = workers === 1 ? on : `${workers} workers, on no core of their own; ${on}`;
  const stop = (): void => void child.kill("SIGKILL");
  const { pid } = child;
  return { contender: { name: "tideover", aim: plainAim(port), pid, stop, note }, child };
}

function writeEstate(bench: Bench, upstream: Upstream, port: number): string {
  const folder = join(bench.folder, "estate");
  mkdirSync(join(folder, "release", "prompts"), { recursive: true });
  writeFileSync(join(folder, "release", "release.yaml"), RELEASE);
  writeFileSync(join(folder, "release", "prompts", "assistant.md"), PROMPT);
  const path = join(folder, "tideover.yaml");
  writeFileSync(path, specText(upstream.url, port));
  return path;
}

function specText(upstream: string, port: number): string {
  return `tideover: 1
estate: bench
release: ./release
regions:
  here:
    jurisdiction: EU
    gateway: 127.0.0.1:${port}
    components:
      runtime:
        targets: [{ name: upstream, url: "${upstream}", model: bench }]
tenants:
  acme: { keys: [${KEY_HASH}] }
  bolt: { keys: [sha256:${"0".repeat(64)}] }
workflows:
  ${MODEL}:
    pattern: active-passive
    primary: here
    rto: 10s
    rpo: 1s
    prompt: assistant
    # Longer than any run: streams are held open on purpose.
    deadline: 10m
    declare: { by: person, who: bench, signals: [provider-outage] }
    customers: { channel: e-mail, message: "{workflow} has moved." }
`;
}

const RELEASE = `name: bench
version: "1.0.0"
model:
  id: bench
  digest: sha256:29bab77a519012806db4d6ea362c1b49ac3d9143b93f953b045293d393cf103e
  fingerprint: "4e940047375e621f"
policy:
  requestsPerMinute: 1000000000
  maxOutputTokens: 4096
`;

const PROMPT = `---
name: assistant
description: What the benchmark's requests are answered under.
---

You answer the customers of {{tenant}} in the workflow {{workflow}}. Be brief, and say what you do not know.
`;
