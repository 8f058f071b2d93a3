import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Runbook } from "../../src/api/runbook.ts";
import type { EstateStatus } from "../../src/api/status.ts";
import type { Estate } from "../../src/app/estate.ts";
import type { MoveOutcome } from "../../src/cli/move-request.ts";
import { buildProgram } from "../../src/cli/program.ts";
import type { faultsAsJson } from "../../src/config/format-faults.ts";
import { sha256 } from "../../src/lib/canonical.ts";
import {
  type CommandResult,
  eventually,
  ROOT,
  removeEstate,
  sampleEstate,
  startSample,
  type TestEstate,
} from "../support/estate.ts";
import { type CommandOptions, processesNaming, run } from "../support/processes.ts";

/** A folder in which no estate is, and never was. */
let empty: string;
/** The sample estate, written out and not started. */
let unstarted: Estate;

before(async () => {
  empty = mkdtempSync(join(tmpdir(), "tideover-test-"));
  unstarted = await sampleEstate();
});
after(() => {
  rmSync(empty, { recursive: true, force: true });
  removeEstate(unstarted);
});

test("tideover --version gives the number of the package, and nothing else", async () => {
  const { code, stdout } = await plain(["--version"], { cwd: empty });
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.deepEqual([code, stdout], [0, `${version}\n`]);
});

describe("wrong commands", { concurrency: 2 }, () => {
  const wrong: readonly [args: string[], message: RegExp][] = [
    [["stauts"], /unknown command 'stauts'\n\(Did you mean status\?\)/],
    [["status", "--jsno"], /unknown option '--jsno'\n\(Did you mean --json\?\)/],
    [["index", "ingst"], /unknown command 'ingst'\n\(Did you mean ingest\?\)/],
    [["runbook"], /missing required argument 'workflow'/],
    [["failover"], /missing required argument 'workflow'/],
    [["key"], /missing required argument 'tenant'/],
    [["index", "ingest"], /missing required argument 'corpus'/],
    [["gateway"], /required option '-r, --region <name>' not specified/],
    [["up", "status"], /too many arguments for 'up'/],
    [["drill", "earthquake"], /no drill "earthquake"\n +The drills are: region-outage/],
    [["key", "Big Corp"], /"Big Corp" is no name; write lower-case/],
    [["failover", "x", "--timeout", "soon"], /--timeout "soon" is no number of seconds/],
  ];
  for (const [args, message] of wrong) {
    test(`tideover ${args.join(" ")}`, async () => {
      const result = await plain(args, { cwd: empty });
      assert.deepEqual([result.code, result.stdout], [2, ""]);
      assert.match(result.stderr, message);
      if (result.stderr.startsWith("error:")) assert.match(result.stderr, /add --help/);
    });
  }
});

/** Roles run until they are stopped, and these groups only hold other commands. */
const WITHOUT_JSON = ["gateway", "agent", "runtime", "controller", "index", "release", "artifacts"];

describe("help", { concurrency: 2 }, () => {
  const program = buildProgram();
  const commands = [
    ...program.commands.map((command) => ({ path: [command.name()], command })),
    ...program.commands.flatMap((parent) =>
      parent.commands.map((command) => ({ path: [parent.name(), command.name()], command })),
    ),
  ];

  test("of the program: every command and every exit code", async () => {
    const { code, stdout, stderr } = await plain(["--help"]);
    assert.deepEqual([code, stderr], [0, ""]);
    for (const { path } of commands) assert.match(stdout, new RegExp(`\\b${path[0]}\\b`));
    for (const exit of [0, 1, 2, 3, 130]) assert.match(stdout, new RegExp(`^ +${exit} +\\w`, "m"));
  });

  for (const { path, command } of commands) {
    const name = path.join(" ");
    test(`of ${name}: what it is for, and --json unless it only runs`, async () => {
      const { code, stdout, stderr } = await plain([...path, "--help"]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, new RegExp(`^Usage: tideover ${name}`));
      // Commander breaks its lines at 80 columns.
      assert.ok(stdout.replace(/\s+/g, " ").includes(command.description()));
      const hasJson = /--json +print one JSON document/.test(stdout);
      assert.equal(hasJson, !WITHOUT_JSON.includes(name));
    });
  }
});

describe("without a spec", { concurrency: 2 }, () => {
  for (const args of [
    ["up"],
    ["status"],
    ["check"],
    ["gateway", "-r", "x"],
    ["drill", "region-outage"],
  ]) {
    test(`tideover ${args.join(" ")} says where it looked`, async () => {
      const result = await plain(args, { cwd: empty });
      assert.deepEqual([result.code, result.stdout], [2, ""]);
      assert.match(result.stderr, new RegExp(`no spec at ${join(empty, "tideover.yaml")}`));
      assert.match(result.stderr, /--spec FILE/);
    });
  }

  test("a folder is no spec, and an empty variable is none", async () => {
    const folder = dirname(unstarted.specPath);
    const named = await plain(["check", folder]);
    assert.equal(named.code, 2);
    assert.match(named.stderr, /is a folder, not a spec\.\n.*--spec .*tideover\.yaml/);
    const env = { TIDEOVER_SPEC: "", TIDEOVER_DATA: "" };
    const unset = await plain(["status"], { cwd: empty, env });
    assert.match(unset.stderr, new RegExp(`no spec at ${join(empty, "tideover.yaml")}`));
  });
});

describe("a broken spec", { concurrency: 2 }, () => {
  test("check shows every fault with its place, as text and as JSON", async () => {
    const spec = broken("faults", [
      ["rto: 10s", "rto: 10"],
      ["standbys: [ us-east ]", "standbys: [ us-wets ]"],
      ["confirm: 4s", "confrim: 4s"],
    ]);
    const text = await plain(["check", spec]);
    assert.equal(text.code, 2);
    assert.match(text.stdout, /3 faults found\.\n$/);
    const place = (line: string): string => {
      const lines = readFileSync(spec, "utf8").split("\n");
      const at = lines.findIndex((one) => one.includes(line));
      return `${spec}:${at + 1}:${(lines[at] ?? "").search(/\S/) + 1}`;
    };
    assert.ok(text.stdout.includes(`${place("confrim: 4s")}  `), text.stdout);
    for (const wanted of [
      /rto: 10 has no unit/,
      /us-wets.*(\n.*){0,2}us-east/,
      /confrim.*(\n.*){0,2}confirm/,
    ])
      assert.match(text.stdout, wanted);

    const { code, stdout } = await plain(["check", spec, "--json"]);
    assert.equal(code, 2);
    const { ok, faults } = oneJson<ReturnType<typeof faultsAsJson>>(stdout);
    assert.deepEqual([ok, faults.length], [false, 3]);
    for (const fault of faults) {
      assert.deepEqual(
        [typeof fault.file, typeof fault.line, typeof fault.column, typeof fault.message],
        ["string", "number", "number", "string"],
      );
    }
  });

  const twisted: readonly [name: string, edits: readonly Edit[], message: RegExp][] = [
    [
      "workflows that depend on each other",
      [
        ["prompt: support-search", "prompt: support-search\n    dependsOn: [summarize]"],
        ["prompt: summarize", "prompt: summarize\n    dependsOn: [support-search]"],
      ],
      /support-search.*summarize|summarize.*support-search/,
    ],
    [
      "an alias that holds itself",
      [["regions:\n", "regions: &all\n  loop: *all\n"]],
      /loop|alias|itself/,
    ],
    ["two workflows of one name", [["  assistant:\n", "  summarize:\n"]], /summarize/],
    ["no YAML at all", [["tideover: 1", "tideover: [1"]], /:\d+:\d+/],
  ];
  for (const [name, edits, message] of twisted) {
    test(`${name}: check says so, and up starts nothing`, async () => {
      const spec = broken(name.replaceAll(" ", "-"), edits);
      const checked = await plain(["check", spec]);
      assert.equal(checked.code, 2, checked.stderr);
      assert.match(checked.stdout, message);
      assert.match(checked.stdout, new RegExp(`${spec}:\\d+:\\d+`));
      const data = join(empty, name.replaceAll(" ", "-"));
      const up = await plain(["up", "--spec", spec, "--data", data]);
      assert.deepEqual([up.code, up.stdout], [2, ""]);
      assert.match(up.stderr, new RegExp(`${spec}:\\d+:\\d+`));
      assert.equal(existsSync(data), false, "not even the data folder");
    });
  }
});

test("check of a sound spec", async () => {
  const text = await plain(["check", unstarted.specPath]);
  assert.equal(text.code, 0);
  assert.match(text.stdout, /no faults \(2 regions, 3 workflows, release meridian 1\.0\.0\)/);
  const { stdout } = await plain(["check", unstarted.specPath, "--json"]);
  assert.deepEqual(oneJson(stdout), { ok: true, estate: "meridian", faults: [], advice: [] });
});

test("key makes another key each time, with the hash that belongs in the spec", async () => {
  const text = await plain(["key", "acme"]);
  const [, key = "", hash = ""] = /^key +(\S+)\nhash +(\S+)/.exec(text.stdout) ?? [];
  assert.equal(hash, sha256(key));
  const json = oneJson<Record<string, string>>((await plain(["key", "acme", "--json"])).stdout);
  assert.deepEqual(Object.keys(json), ["tenant", "key", "hash"]);
  assert.equal(json.hash, sha256(json.key ?? ""));
  assert.notEqual(json.key, key);
});

describe("when nothing is up", { concurrency: 2 }, () => {
  const asked: readonly string[][] = [
    ["status"],
    ["status", "--json"],
    ["failover", "summarize"],
    ["failback", "summarize", "--json"],
    ["drill", "region-outage", "--json"],
  ];
  for (const args of asked) {
    test(`tideover ${args.join(" ")}: one clear line and what to do`, async () => {
      const result = await plain([...args, ...flagsOf(unstarted)]);
      assert.deepEqual([result.code, result.stdout], [3, ""]);
      assert.match(
        result.stderr,
        /^tideover: (estate "meridian" was never started|no estate is up)/,
      );
      assert.match(result.stderr, /^ {2}Start it with `tideover up`/m);
      assert.equal(result.stderr.trimEnd().split("\n").length, 2);
      assert.equal(existsSync(unstarted.data.keys), false, "looking made nothing");
    });
  }

  test("the runbook is there all the same, and says that it is the first state's", async () => {
    const result = await plain(["runbook", "summarize", "--json", ...flagsOf(unstarted)]);
    assert.equal(result.code, 0);
    assert.match(result.stderr, /not up; this is the runbook of its first state, from the spec/);
    assert.equal(oneJson<Runbook>(result.stdout).workflow, "summarize");
    const unknown = await plain(["runbook", "sumarize", ...flagsOf(unstarted)]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /no workflow "sumarize"\n.*support-search, assistant, summarize/);
  });

  test("a demo whose report could not be written ends before it begins", async () => {
    const file = join(empty, "file");
    writeFileSync(file, "");
    const result = await plain(["demo", "--json", "--report", join(file, "report")]);
    assert.deepEqual([result.code, result.stdout], [3, ""]);
    assert.match(result.stderr, /^tideover: cannot write in .*file\/report/);
  });
});

describe("on a running estate", () => {
  let running: TestEstate;
  before(async () => {
    running = await startSample();
    await eventually("every standby to be proven", async () => {
      const { workflows, leader } = await running.control.status();
      const proven = workflows.every(({ standbys }) => standbys.every(({ ready }) => ready));
      const calm = workflows.every(({ lastDecision }) => lastDecision.endsWith("is healthy"));
      return leader !== null && proven && calm;
    });
  });
  after(() => running?.stop());
  const on = (args: readonly string[]): Promise<CommandResult> =>
    plain([...args, ...flagsOf(running.estate)]);

  test("status as text: who serves, what stands by, how far behind, why", async () => {
    const { code, stdout, stderr } = await on(["status"]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^meridian {2}leader controller-\d+ {2}snapshot \d+ {2}release sha256:/);
    const row = /^support-search +eu-west +1 +normal +10\.0 s +2\.0 s +us-east ready \(9 of 9 /m;
    assert.match(stdout, row);
    assert.match(
      stdout,
      /^us-east \(US\) +reporting +snapshot \d+ +handbook at \d+, 78 documents, lag /m,
    );
    assert.match(stdout, /^support-search: eu-west serves and is healthy$/m);
  });

  test("status as JSON says the same", async () => {
    const { code, stdout } = await on(["status", "--json"]);
    assert.equal(code, 0);
    const { workflows, regions, leader } = oneJson<EstateStatus>(stdout);
    assert.match(leader ?? "", /^controller-\d+$/);
    assert.deepEqual(
      workflows.map(pick("workflow", "serving", "epoch", "mode", "lastDecision")),
      ["support-search", "assistant", "summarize"].map((workflow) => ({
        workflow,
        serving: ["eu-west"],
        epoch: 1,
        mode: "normal",
        lastDecision: "eu-west serves and is healthy",
      })),
    );
    assert.deepEqual(workflows[0]?.standbys.map(pick("region", "ready")), [
      { region: "us-east", ready: true },
    ]);
    for (const { agent, indexes } of regions) {
      assert.equal(agent, "reporting");
      assert.equal(indexes[0]?.position.count, 78);
      assert.equal(typeof indexes[0]?.lagMs, "number");
    }
  });

  test("runbook answers its six questions, and shows the plan's steps", async () => {
    const { code, stdout, stderr } = await on(["runbook", "support-search"]);
    assert.deepEqual([code, stderr], [0, ""]);
    const answers: readonly [question: string, answer: RegExp][] = [
      ["Who declares", /Tideover declares by itself after 4\.0 s .*platform on-call/],
      ["On what signals", /region-outage/],
      ["Verified before traffic opens", /no tenant sees another tenant's canary document/],
      ["Versions expected", /release meridian 1\.0\.0 \(sha256:/],
      ["Acceptable degraded modes, in this order", /none: full answers or none/],
      ["How customers are told", /status page: support-search moved from eu-west to us-east/],
      ["The plan that would run", /1\. prove-readiness/],
    ];
    for (const [question, answer] of answers) {
      const section = new RegExp(`^${question}$([\\s\\S]*?)(\\n\\n|$(?![\\s\\S]))`, "m").exec(
        stdout,
      );
      assert.match(section?.[1] ?? "", answer, question);
    }
    const json = await on(["runbook", "support-search", "--json"]);
    const ids = oneJson<Runbook>(json.stdout).plan?.steps.map(({ id }) => id) ?? [];
    assert.deepEqual(ids.slice(0, 2), ["prove-readiness", "take-ownership"]);
    ids.forEach((id, at) => {
      assert.ok(stdout.includes(`  ${at + 1}. ${id}  `), id);
    });
  });

  test("index ingest takes documents, and refuses what is none", async () => {
    const corpus = join(empty, "corpus");
    mkdirSync(corpus);
    const head = "---\nid: cli-note\ntitle: Note\naudience: public\nupdated: 2026-05-01\n---\n";
    writeFileSync(join(corpus, "note.md"), `${head}\nThe depot of Ulm opens at six.\n`);
    const taken = await on(["index", "ingest", corpus, "--json"]);
    assert.equal(taken.code, 0, taken.stderr);
    const { position, minPosition, ...told } = oneJson<{
      position: { seq: number };
      minPosition: string;
    }>(taken.stdout);
    assert.deepEqual(told, { index: "handbook", documents: 1 });
    // What a caller who must see this document asks for (x-tideover-min-position).
    assert.ok(position.seq > 1);
    assert.match(minPosition, new RegExp(`^${position.seq}/1:[0-9a-f]{12}$`));
    const unknown = await on(["index", "ingest", corpus, "--index", "handbok"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /no index "handbok"\n.*handbook/);
    writeFileSync(join(corpus, "note.md"), "no front matter");
    const refused = await on(["index", "ingest", corpus]);
    assert.deepEqual([refused.code, refused.stdout], [2, ""]);
    assert.match(refused.stderr, /note\.md/);
  });

  test("index status shows every copy, and verify finds both equal", async () => {
    const copiesOf = async (args: string[]) => {
      const { code, stdout, stderr } = await on(["index", ...args, "--json"]);
      assert.equal(code, 0, stdout + stderr);
      return oneJson<{ copies: Record<string, unknown>[] }>(stdout).copies;
    };
    const regions = ["eu-west", "us-east"];
    await eventually("every record to have been looked at", async () => {
      const { stdout } = await on(["index", "status"]);
      return !stdout.includes("not yet");
    });
    const states = await copiesOf(["status"]);
    assert.deepEqual(
      states.map(({ region }) => region),
      regions,
    );
    assert.deepEqual(
      states.map(({ fault }) => fault),
      [null, null],
    );
    const text = await on(["index", "status"]);
    assert.match(text.stdout, /^INDEX +REGION +ROLE +POSITION/);
    assert.match(text.stdout, /^handbook +us-east +replica +\d+@[0-9a-f]{8} +level +\d+ +whole/m);
    for (const { region, fault, compared } of await copiesOf(["verify"])) {
      assert.ok(regions.includes(String(region)));
      assert.equal(fault, null);
      assert.deepEqual(
        pick(
          "level",
          "differing",
          "error",
        )(compared as Record<"level" | "differing" | "error", unknown>),
        {
          level: true,
          differing: 0,
          error: null,
        },
      );
    }
    const repaired = await copiesOf(["repair"]);
    assert.deepEqual(repaired, [
      { region: "us-east", cured: true, because: "nothing is wrong with it" },
    ]);
  });

  test("index repair of the owner's copy, and unknown names: refused, and what to do", async () => {
    const owner = await on(["index", "repair", "--region", "eu-west"]);
    assert.deepEqual([owner.code, owner.stderr.includes("examines")], [1, true]);
    assert.match(owner.stdout, /eu-west: not cured: .*it owns the index itself/);
    for (const [args, message] of [
      [["index", "verify", "--index", "handbok"], /no index "handbok"\n.*handbook/],
      [["index", "verify", "--region", "mars"], /no region "mars"\n.*eu-west, us-east/],
      [["index", "tail", "--after", "soon"], /Give a whole number/],
    ] as const) {
      const { code, stderr } = await on([...args]);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
  });

  test("failback of what serves there already is refused: 1, and why", async () => {
    const text = await on(["failback", "support-search"]);
    assert.equal(text.code, 1, text.stderr);
    assert.match(text.stdout, /refused: eu-west serves support-search already\n$/);
    const { code, stdout } = await on(["failback", "support-search", "--json"]);
    assert.equal(code, 1);
    assert.deepEqual(pick("completed", "plan")(oneJson<MoveOutcome>(stdout)), {
      completed: false,
      plan: null,
    });
    assert.equal((await workflowNamed("support-search")).epoch, 1);
  });

  test("unknown workflows and regions: 2, and those that there are", async () => {
    for (const command of ["failover", "switchover", "failback", "runbook"]) {
      const { code, stdout, stderr } = await on([command, "suport-search"]);
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert.match(stderr, /no workflow "suport-search"\n.*support-search, assistant, summarize/);
    }
    const region = await on(["failover", "summarize", "--to", "mars"]);
    assert.equal(region.code, 2);
    assert.match(region.stderr, /no region "mars"\n.*eu-west, us-east/);
    const role = await on(["agent", "--region", "mars"]);
    assert.equal(role.code, 2);
    assert.match(role.stderr, /no region "mars"\n.*eu-west, us-east/);
  });

  test("a role on a port that is taken ends with 3", async () => {
    for (const role of ["gateway", "agent", "runtime"]) {
      const { code, stdout, stderr } = await on([role, "--region", "us-east"]);
      assert.deepEqual([code, stdout], [3, ""], `${role}: ${stderr}`);
      const lines = stderr.split("\n").filter((line) => line.startsWith("tideover:"));
      assert.match(lines.join("\n"), /^tideover: .*(taken|in use)/);
    }
  });

  test("failover by hand, then failback: each raises the epoch by one", async () => {
    const there = await on(["failover", "support-search", "--by", "the tests", "--json"]);
    assert.equal(there.code, 0, there.stderr);
    const outcome = oneJson<MoveOutcome>(there.stdout);
    assert.equal(outcome.completed, true);
    assert.match(outcome.because, /asked by the tests: eu-west is declared failed/);
    assert.equal(outcome.plan?.state.status, "completed");
    const moved = await workflowNamed("support-search");
    assert.deepEqual([moved.serving, moved.epoch], [["us-east"], 2]);
    assert.match(there.stderr, /done +open-traffic: /, "progress is on standard error");

    const back = await on(["failback", "support-search"]);
    assert.equal(back.code, 0, back.stderr);
    assert.match(back.stdout, /^failback of support-search .*eu-west takes over from us-east\n$/);
    const returned = await workflowNamed("support-search");
    assert.deepEqual([returned.serving, returned.epoch], [["eu-west"], 3]);
  });

  test("with every controller killed: status and runbook from the store", async () => {
    const moved = await on(["failover", "summarize"]);
    assert.equal(moved.code, 0, moved.stderr);
    const [controller] = running.supervisor.processes().filter(({ region }) => region === null);
    process.kill(controller?.pid ?? 0, "SIGKILL");
    await eventually("the controller's end", () =>
      running.supervisor
        .processes()
        .some(({ region, state }) => region === null && state === "dead"),
    );
    const text = await on(["status"]);
    assert.equal(text.code, 0, text.stderr);
    assert.match(
      text.stderr,
      /^tideover: no controller of estate "meridian" answers .*the store held/,
    );
    assert.match(text.stdout, /^meridian {2}leader no controller leads/);
    assert.match(text.stdout, /^summarize +us-east +2 /m);
    const json = oneJson<EstateStatus>((await on(["status", "--json"])).stdout);
    assert.equal(json.leader, null);
    assert.equal(json.workflows.length, 3);

    const runbook = await on(["runbook", "summarize", "--json"]);
    assert.equal(runbook.code, 0, runbook.stderr);
    assert.match(oneJson<Runbook>(runbook.stdout).situation, /^us-east serves it now \(epoch 2\)/);
    const refused = await on(["failover", "summarize"]);
    assert.deepEqual([refused.code, refused.stdout], [3, ""]);
    assert.match(refused.stderr, /^tideover: no controller .* answers .*\n {2}Start the estate/);
    assert.deepEqual(processesNaming(running.estate.data.root).length, 6, "nobody else was harmed");
  });

  async function workflowNamed(
    name: string,
  ): Promise<{ serving: readonly string[]; epoch: number }> {
    const { workflows } = await running.control.status();
    const found = workflows.find(({ workflow }) => workflow === name);
    assert.ok(found);
    return found;
  }
});

type Edit = readonly [text: string, instead: string];

/** A copy of the sample's spec beside it, with each text replaced where it first stands. */
function broken(name: string, edits: readonly Edit[]): string {
  let text = readFileSync(unstarted.specPath, "utf8");
  for (const [from, to] of edits) {
    assert.ok(text.includes(from), from);
    text = text.replace(from, to);
  }
  const path = join(dirname(unstarted.specPath), `${name}.yaml`);
  writeFileSync(path, text);
  return path;
}

function flagsOf(estate: Estate): string[] {
  return ["--spec", estate.specPath, "--data", estate.data.root];
}

/** Runs a command and holds it to what is true of every one: piped, it paints nothing, and no trace. */
async function plain(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const result = await run(args, options);
  const said = result.stdout + result.stderr;
  assert.equal(said.includes("\u001b["), false, `${args.join(" ")} paints: ${said}`);
  assert.doesNotMatch(result.stderr, /\n\s+at .*:\d+:\d+|fault in Tideover/);
  return result;
}

/** The one JSON document that standard output is; anything before or after it does not parse. */
function oneJson<Document>(stdout: string): Document {
  assert.ok(stdout.endsWith("\n"));
  return JSON.parse(stdout) as Document;
}

function pick<Key extends string>(...names: readonly Key[]) {
  return (from: Readonly<Record<Key, unknown>>): object =>
    Object.fromEntries(names.map((name) => [name, from[name]]));
}
