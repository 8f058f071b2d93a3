import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { ControlClient } from "../../src/api/client.ts";
import type { EstateStatus } from "../../src/api/status.ts";
import { listenAddress } from "../../src/app/address.ts";
import { type Estate, keysOf } from "../../src/app/estate.ts";
import { requireFree } from "../../src/app/ports.ts";
import type { ProcessView } from "../../src/app/supervisor.ts";
import { eventually, isAlive, removeEstate, sampleEstate } from "../support/estate.ts";
import {
  type Command,
  childrenOf,
  killProcessesNaming,
  printed,
  processesNaming,
  run,
  start,
  startUnderCarelessParent,
} from "../support/processes.ts";

/** A command that does not end must fail its test, and not hang the run. */
const BOUND = { timeout: 60_000 };

/** What a terminal, `kill`, or a parent that passes signals on do to a running `up`. */
const PRESSES: Readonly<Record<string, (up: Command) => void>> = {
  "SIGINT to the leader alone": (up) => up.signal("SIGINT"),
  "SIGINT to the whole group": (up) => up.signalGroup("SIGINT"),
  "SIGTERM to the leader alone": (up) => up.signal("SIGTERM"),
};

for (const [press, send] of Object.entries(PRESSES)) {
  test(`${press} while the estate starts: 130, and nothing is left`, BOUND, async (t) => {
    const estate = await ownEstate(t);
    const up = start(upArgs(estate));
    await firstChild(up.pid);
    send(up);
    const { code, stdout, stderr } = await up.result;
    assert.equal(code, 130, stderr);
    assert.equal(stdout, "", "it never came up");
    assertNothingLeft(estate);
  });
}

test("Ctrl-C on an estate that is up, and the next `up` goes on from there", BOUND, async (t) => {
  const estate = await ownEstate(t);
  const first = await isUp(start(upArgs(estate)));
  await settled(estate);
  const moved = await run(["failover", "summarize", ...flagsOf(estate)]);
  assert.equal(moved.code, 0, moved.stderr);
  const before = await settled(estate);

  // A terminal signals the group, and a parent in between (npm, bin/tideover.mjs) the leader again.
  first.command.signalGroup("SIGINT");
  await printed(first.command, "stderr", /stopping/);
  first.command.signal("SIGINT");
  assert.equal((await first.command.result).code, 130);
  assertNothingLeft(estate);

  const second = await isUp(start(upArgs(estate)));
  const control = controlOf(estate);
  await eventually("both agents to have reported", async () =>
    (await control.status()).regions.every(({ agent }) => agent === "reporting"),
  );
  const after = await control.status();
  assert.equal(servedBy(before).summarize, "us-east at epoch 2");
  assert.deepEqual(servedBy(after), servedBy(before));
  assert.deepEqual(documentsIn(after), documentsIn(before));
  second.command.signal("SIGTERM");
  assert.equal((await second.command.result).code, 130);
  assertNothingLeft(estate);
});

test("a second `up` on a running estate is refused and disturbs nothing", BOUND, async (t) => {
  const estate = await ownEstate(t);
  const { command, processes } = await isUp(start(upArgs(estate)));
  const spec = readFileSync(estate.specPath, "utf8");
  const address = readFileSync(estate.data.supervisor, "utf8");
  for (const more of [[], ["--free-ports"]]) {
    const { code, stdout, stderr } = await run([...upArgs(estate), ...more]);
    assert.equal(code, 3, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, new RegExp(`already up: process ${command.pid} holds`));
    assert.match(stderr, /tideover status.*Ctrl-C/);
  }
  assert.deepEqual(
    processes.filter(({ pid }) => !isAlive(pid)),
    [],
  );
  assert.equal(readFileSync(estate.specPath, "utf8"), spec, "the spec that runs");
  assert.equal(readFileSync(estate.data.supervisor, "utf8"), address);
  assert.ok(existsSync(estate.data.lock), "the lock stays with its holder");
  const status = await run(["status", "--json", "--data", estate.data.root]);
  assert.equal(JSON.parse(status.stdout).workflows.length, 3, status.stderr);
  command.signalGroup("SIGINT");
  assert.equal((await command.result).code, 130);
});

test(
  "SIGKILL of the supervisor: its processes end themselves, and the next `up` works",
  BOUND,
  async (t) => {
    const estate = await ownEstate(t);
    const { command, processes } = await isUp(start(upArgs(estate)));
    const children = childrenOf(command.pid);
    assert.equal(children.length, processes.length);
    command.signal("SIGKILL");
    await command.result;
    await eventually("the end of every child", () => !children.some(isAlive));
    await requireFree(processes.map(({ name, address }) => ({ role: name, address })));
    assert.ok(existsSync(estate.data.lock), "a stale lock is there to be taken over");

    const next = await isUp(start(upArgs(estate)));
    assert.equal(
      next.processes.filter(({ state }) => state === "running").length,
      processes.length,
      "all of them",
    );
    next.command.signal("SIGINT");
    assert.equal((await next.command.result).code, 130);
    assertNothingLeft(estate);
  },
);

test("SIGKILL while it starts, under a parent that fetches no dead child", BOUND, async (t) => {
  const estate = await ownEstate(t);
  const parent = startUnderCarelessParent(upArgs(estate));
  t.after(() => parent.signalGroup("SIGKILL"));
  await printed(parent, "stdout", /^\d+\n/);
  const pid = Number(parent.stdout().trim());
  await firstChild(pid);
  process.kill(pid, "SIGKILL");
  await eventually(
    "the end of every process",
    () => processesNaming(estate.data.root).length === 0,
  );
  process.kill(pid, 0); // still counted among the processes: the zombie that the lock names

  const next = start(upArgs(estate));
  await firstChild(next.pid);
  next.signal("SIGINT");
  const { code, stderr } = await next.result;
  assert.equal(code, 130, stderr);
  assertNothingLeft(estate);
});

test("a lock whose process number is a stranger's by now is taken over", BOUND, async (t) => {
  const estate = await ownEstate(t);
  writeFileSync(estate.data.lock, JSON.stringify({ pid: process.pid, startedAt: "1" }));
  const up = start(upArgs(estate));
  await firstChild(up.pid);
  up.signal("SIGINT");
  assert.equal((await up.result).code, 130);
});

test("a port that is taken: 3, with address and role, and nothing is started", BOUND, async (t) => {
  const estate = await ownEstate(t);
  const address = estate.spec.regions["us-east"]?.gateway ?? "";
  const stranger = createServer().listen(listenAddress(address));
  t.after(() => stranger.close());
  await once(stranger, "listening");
  const { code, stdout, stderr } = await run(upArgs(estate));
  assert.equal(code, 3, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, new RegExp(`cannot listen on ${address} \\(gateway:us-east\\): already in`));
  assert.match(stderr, /--free-ports/);
  assert.equal(existsSync(join(estate.data.root, "logs")), false, "no process was started");
  assertNothingLeft(estate);
});

test("a data folder that cannot be: 3, a clear message and no stack trace", BOUND, async (t) => {
  const estate = await ownEstate(t);
  const file = join(dirname(estate.data.root), "a-file");
  writeFileSync(file, "");
  // Root may write nearly everywhere; below a file and in /proc nobody can.
  for (const data of [file, join(file, "below"), "/proc/tideover"]) {
    const { code, stdout, stderr } = await run(["up", "--spec", estate.specPath, "--data", data]);
    assert.equal(code, 3, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, new RegExp(`cannot write in ${data}`));
    assert.match(stderr, /another folder \(--data/);
    assert.doesNotMatch(stderr, /\n\s+at |fault in Tideover/);
  }
});

async function ownEstate(t: TestContext): Promise<Estate> {
  const estate = await sampleEstate();
  t.after(() => {
    killProcessesNaming(estate.data.root);
    removeEstate(estate);
  });
  return estate;
}

function flagsOf(estate: Estate): string[] {
  return ["--spec", estate.specPath, "--data", estate.data.root];
}

function upArgs(estate: Estate): string[] {
  return ["up", ...flagsOf(estate), "--json"];
}

async function firstChild(pid: number): Promise<void> {
  await eventually(`the first child of ${pid}`, () => childrenOf(pid).length > 0);
}

/** Waits until `up` says that it is up, which with --json is its one document. */
async function isUp(command: Command): Promise<{ command: Command; processes: ProcessView[] }> {
  await printed(command, "stdout", /\n}\n$/);
  const { processes } = JSON.parse(command.stdout()) as { processes: ProcessView[] };
  assert.equal(processes.length, 7);
  return { command, processes };
}

function controlOf(estate: Estate): ControlClient {
  const { estate: name, controllers } = estate.spec;
  return new ControlClient({ estate: name, controllers, token: keysOf(estate).token });
}

/** The status once every standby is proven: a move asked for earlier would be refused. */
async function settled(estate: Estate): Promise<EstateStatus> {
  const control = controlOf(estate);
  await eventually("every standby to be proven", async () => {
    const { workflows } = await control.status();
    return workflows.every(({ standbys }) => standbys.every(({ ready }) => ready));
  });
  return control.status();
}

function servedBy({ workflows }: EstateStatus): Record<string, string> {
  return Object.fromEntries(
    workflows.map(({ workflow, serving, epoch }) => [workflow, `${serving} at epoch ${epoch}`]),
  );
}

/** What an index holds, and how long its log is: a restart adds nothing to either. */
function documentsIn({ regions }: EstateStatus): string[] {
  return regions.flatMap(({ region, indexes }) =>
    indexes.map(
      ({ index, position: { seq, count, digest } }) =>
        `${region} ${index} ${seq} ${count} ${digest}`,
    ),
  );
}

/** Looked at once and not waited for: a command that has ended has ended what it started. */
function assertNothingLeft({ data }: Estate): void {
  assert.deepEqual(processesNaming(data.root), []);
  assert.equal(existsSync(data.lock), false, "the lock is gone");
  assert.equal(existsSync(data.supervisor), false, "nobody offers the supervisor's address");
}
