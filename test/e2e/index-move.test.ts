import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { EstateStatus } from "../../src/api/status.ts";
import { keysOf } from "../../src/app/estate.ts";
import { sendChanges } from "../../src/app/local-estate.ts";
import { messageOf } from "../../src/lib/errors.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import { ask, callerOf } from "../support/callers.ts";
import {
  type Change,
  eventually,
  runCommand,
  startSample,
  type TestEstate,
} from "../support/estate.ts";

/**
 * An index that every workflow can do without: its damaged owner is nobody's reason to fail over.
 * Real processes and a real file damaged behind their backs, callers who ask all the while.
 */

const [EU, US] = ["eu-west", "us-east"] as const;
const INDEX = "handbook";
const SEARCH = "support-search";
const ASKED = {
  question: "Under which framework contract number do we ship mowers and spare parts?",
  document: "acme-contract",
  right: "MF-20418",
  wrong: "MF-66666",
};

const OPTIONAL: readonly Change[] = [
  [["workflows", SEARCH, "retrieval", "required"], false],
  [
    ["workflows", SEARCH, "required"],
    ["runtime", "release", "telemetry"],
  ],
  [
    ["workflows", SEARCH, "optional"],
    ["index", "pipeline"],
  ],
  [["workflows", SEARCH, "degradedModes"], ["no-retrieval"]],
  ...[EU, US].map(
    (region): Change => [
      ["regions", region, "components", "runtime", "targets", 0, "reference", "tokenDelay"],
      "0ms",
    ],
  ),
];

describe("an index that every workflow can do without", () => {
  let up: TestEstate;

  before(async () => {
    up = await startSample(OPTIONAL);
  });
  after(async () => {
    await up?.stop();
  });

  const status = (): Promise<EstateStatus> => up.control.status();
  const owner = async () =>
    (await status()).ownerships.find(({ index }) => index === INDEX)?.region;
  const copyIn = async (region: string) =>
    (await status()).regions
      .find((one) => one.region === region)
      ?.indexes.find(({ index }) => index === INDEX);
  const isWhole = async (region: string) => {
    const copy = await copyIn(region);
    return copy?.standing?.kind === "whole" && copy.fault === null;
  };
  const epochs = async () =>
    Object.fromEntries((await status()).workflows.map((one) => [one.workflow, one.epoch]));

  function falsify(region: string): void {
    const file = new DatabaseSync(up.estate.data.region(region).index(INDEX), { timeout: 5_000 });
    try {
      const { document, right, wrong } = ASKED;
      const sql = `UPDATE texts SET text = replace(text, ?, ?)
        WHERE n = (SELECT n FROM records WHERE id = ?)`;
      const { changes } = file.prepare(sql).run(right, wrong, document);
      assert.equal(changes, 1);
    } finally {
      file.close();
    }
  }

  /** A caller who goes on asking one region, and notes in which mode he was answered when. */
  function startCaller(region: string) {
    const stopping = new AbortController();
    const answers: { readonly at: number; readonly mode: string | null; readonly text: string }[] =
      [];
    const failures: string[] = [];
    const client = callerOf(up, region);
    const asking = (async () => {
      while (!stopping.signal.aborted) {
        await ask(client, SEARCH, ASKED.question).then(
          ({ headers, text }) =>
            void answers.push({ at: performance.now(), mode: headers.get(HEADERS.mode), text }),
          (error) => void failures.push(messageOf(error)),
        );
        await pause(100, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    })();
    return {
      answers,
      async stop() {
        stopping.abort();
        await asking;
        return { answers, failures };
      },
    };
  }

  it("has another owner when its owner's copy is damaged, and the damaged one is repaired", async (t) => {
    await eventually("both copies to be whole and seen", async () => {
      const [eu, us] = [await copyIn(EU), await copyIn(US)];
      return (await owner()) === EU && eu?.position.seq === us?.position.seq && (await isWhole(US));
    });
    const before = await epochs();
    const caller = startCaller(EU);
    await eventually("an answer with documents", () => caller.answers.length > 0);
    falsify(EU);
    const damagedAt = performance.now();
    const since = () => Math.round(performance.now() - damagedAt);
    await eventually("another owner", async () => (await owner()) === US);
    const movedMs = since();
    await eventually("the damaged copy to be whole", () => isWhole(EU));
    const wholeMs = since();
    const count = caller.answers.length;
    await eventually("an answer with documents again", () =>
      caller.answers.slice(count).some(({ mode }) => mode === "normal"),
    );
    const backMs = since();
    const { answers, failures } = await caller.stop();
    t.diagnostic(
      `after the damage: owned by ${US} ${movedMs} ms, repaired ${wholeMs} ms, documents again ${backMs} ms; ${answers.length} answers, ${answers.filter(({ mode }) => mode === "no-retrieval").length} without documents`,
    );
    assert.deepEqual(failures, []);
    for (const { mode, text } of answers) {
      assert.ok(!text.includes(ASKED.wrong), "no falsified word is told");
      if (mode === "normal") assert.ok(text.includes(ASKED.right), text);
    }
    const { plans } = await up.control.plans();
    assert.deepEqual(
      plans.map(({ workflow, decision }) => [workflow, decision.kind, decision.domain]),
      [["index:handbook", "move-index", "index-corruption"]],
    );
    assert.deepEqual(await epochs(), before, "no workflow moved");
    assert.ok((await status()).workflows.every(({ serving }) => serving.join() === EU));
    const told = (await up.control.evidence(0)).map(({ text }) => text);
    assert.ok(
      told.some((text) => /us-east takes handbook over .* nothing is lost/.test(text)),
      told.join("\n"),
    );
  });

  it("is written by its new owner's pipeline, and read in both regions", async () => {
    const { token } = keysOf(up.estate);
    const signal = new AbortController().signal;
    const changes = [{ op: "watermark" as const, sourceTime: Date.now() }];
    const sent = await sendChanges(up.estate, up.control, token, {
      ...{ index: INDEX, changes, signal },
    });
    await eventually("the former owner to follow", async () => {
      return (await copyIn(EU))?.position.seq === sent?.position.seq;
    });
  });

  it("is given back by a person, who reads about it in the status", async () => {
    const spec = ["--data", up.estate.data.root];
    const refused = await runCommand(["index", "move", "--to", US, ...spec]);
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stdout, /is refused: .*us-east owns handbook already/);
    const moved = await runCommand(["index", "move", "--to", EU, "--by", "ada", ...spec]);
    assert.equal(moved.code, 0, moved.stderr + moved.stdout);
    assert.match(moved.stdout, /^eu-west owns handbook: move of handbook asked by ada/);
    assert.match(moved.stderr, /done +promote-index-handbook: eu-west writes handbook/);
    assert.equal(await owner(), EU);
    const shown = await runCommand(["status", ...spec]);
    assert.match(shown.stdout, /^index handbook: eu-west owns handbook/m);
  });
});
