import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { keysOf } from "../../src/app/estate.ts";
import { sendChanges } from "../../src/app/local-estate.ts";
import { startSample, type TestEstate } from "../support/estate.ts";
import { type Command, printed, start } from "../support/processes.ts";

const OWNER = "eu-west";
const INDEX = "handbook";

describe("tideover index tail", () => {
  let up: TestEstate;
  const commands: Command[] = [];

  before(async () => {
    up = await startSample();
  });
  after(async () => {
    for (const command of commands) command.signalGroup("SIGKILL");
    await up?.stop();
  });

  function tail(...flags: string[]): Command {
    const command = start(["index", "tail", "--data", up.estate.data.root, ...flags], {
      env: { NO_COLOR: "1" },
    });
    commands.push(command);
    return command;
  }

  async function write(id: string): Promise<void> {
    const text = { title: `Note ${id}`, text: "The depot of Ulm opens at six." };
    const document = { id, ...text, audience: "acme", labels: [], payload: {}, sourceTime: 1 };
    await sendChanges(up.estate, up.control, keysOf(up.estate).token, {
      index: INDEX,
      changes: [{ op: "upsert", document }],
      signal: new AbortController().signal,
    });
  }

  it("shows the newest changes, then each that comes, and ends with Ctrl-C", async () => {
    const command = tail();
    await printed(command, "stdout", /^ +\d+ .* watermark +all$/m);
    const shown = command.stdout().trim().split("\n").length;
    assert.equal(shown, 10, "as many as tail shows");
    await write("first");
    await printed(
      command,
      "stdout",
      /^ +\d+ +1970-01-01T00:00:00\.001Z +e1 +upsert +first +acme +Note first$/m,
    );
    await write("second");
    await printed(command, "stdout", /upsert +second/);
    command.signal("SIGINT");
    const { code, stdout } = await command.result;
    assert.equal(code, 130);
    const lines = stdout.trim().split("\n");
    assert.equal(lines.length, 12, "each once");
    const numbers = lines.map((line) => Number(line.trim().split(" ")[0]));
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
  });

  it("waits for an owner that restarts, and misses nothing that it takes then", async () => {
    const command = tail("--json");
    await printed(command, "stdout", /"op"/);
    const agent = `agent:${OWNER}`;
    await up.supervisor.killProcess(agent);
    await printed(command, "stderr", /the agent of eu-west.*; waiting for it/);
    await up.supervisor.startRegion(OWNER);
    await write("after the restart");
    await printed(command, "stdout", /"id":"after the restart"/);
    assert.match(command.stderr(), /it answers again/);
    command.signalGroup("SIGINT");
    const { code, stdout } = await command.result;
    assert.equal(code, 130);
    const seqs = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).seq);
    assert.deepEqual(
      seqs,
      Array.from(seqs, (_, at) => seqs[0] + at),
      "no gap, none twice",
    );
  });

  it("begins where it is told, in any region", async () => {
    const command = tail("--after", "0", "--region", "us-east", "--json");
    await printed(command, "stdout", /"seq":1,/);
    command.signal("SIGTERM");
    assert.equal((await command.result).code, 130);
  });
});
