import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import OpenAI from "openai";
import { createFetch } from "../../src/client/create-fetch.ts";
import type { ClientEvent } from "../../src/client/tools.ts";
import type { Question } from "../../src/drills/load.ts";
import { questionsOf } from "../../src/drills/questions.ts";
import { messageOf } from "../../src/lib/errors.ts";
import { eventually, KEYS, startSample, type TestEstate } from "../support/estate.ts";

const SERVING = "eu-west";
const STANDBY = "us-east";
const STREAMING_CALLERS = 12;
const WHOLE_CALLERS = 4;
/** Each caller's pause between two questions: together they stay below the release's rate limit. */
const PAUSE_MS = 100;
const QUESTIONS = 24;

/** What one question came to. */
interface Outcome {
  readonly question: Question;
  readonly streamed: boolean;
  readonly text: string;
  /** Finish reasons that came, ids that the events bore. */
  readonly finishes: number;
  readonly ids: number;
  readonly error: string | null;
}

/** The two ways in which a whole region goes, its gateway included. */
const FAULTS = [
  {
    name: "is killed",
    apply: (up: TestEstate) => up.faults.killRegion(SERVING, 600_000),
    undo: () => undefined,
  },
  {
    name: "stands still, its connections open",
    apply: async (up: TestEstate) => up.supervisor.signalRegion(SERVING, "SIGSTOP"),
    undo: (up: TestEstate) => up.supervisor.signalRegion(SERVING, "SIGCONT"),
  },
] as const;

for (const fault of FAULTS) {
  describe(`callers with the client while a whole region ${fault.name}`, () => {
    let up: TestEstate;
    let uncut: ReadonlyMap<Question, string>;

    before(async () => {
      up = await startSample();
      await eventually("both copies of the index to hold the corpus", async () => {
        const { regions } = await up.control.status();
        const counts = regions.map(({ indexes }) => indexes[0]?.position?.count ?? 0);
        return counts.every((count) => count > 0 && count === counts[0]);
      });
      uncut = await answersBefore(up);
    });
    after(async () => {
      if (up) fault.undo(up);
      await up?.stop();
    });

    it("see no error, no cut answer, no word twice and no word lost", async () => {
      const events: ClientEvent[] = [];
      const load = startLoad(up, [...uncut.keys()], events);
      await eventually("the load to run", () => load.outcomes.length >= 40);
      await fault.apply(up);
      await eventually("the standby to serve", () => servedBy(up, STANDBY), 60_000);
      const moved = load.outcomes.length;
      await eventually("answers after the move", () => load.outcomes.length >= moved + 60, 60_000);
      const outcomes = await load.stop();

      const failed = outcomes.filter(({ error }) => error !== null);
      assert.deepEqual(failed.map(describeOutcome), []);
      const other = outcomes.filter(({ question, text }) => text !== uncut.get(question));
      assert.deepEqual(other.map(describeOutcome), []);
      for (const { streamed, finishes, ids } of outcomes) {
        assert.equal(finishes, 1);
        assert.equal(ids, 1, streamed ? "one id in every event" : "one id");
      }
      const resumed = events.filter(({ kind }) => kind === "resumed");
      // Without one, the fault has found no answer half told, and the test has shown nothing.
      assert.ok(resumed.length > 0, "an answer was gone on with");
      const kept = auditedIds(up, STANDBY);
      assert.deepEqual(
        resumed.filter(({ requestId }) => !kept.has(requestId)),
        [],
        "the rest is audited under the id of its beginning",
      );
    });
  });
}

function describeOutcome({ question, streamed, text, error }: Outcome): string {
  const how = streamed ? "streamed" : "whole";
  return `${question.workflow}, ${how}: ${error ?? "another answer"}: ${JSON.stringify(text)}`;
}

function auditedIds({ estate }: TestEstate, region: string): ReadonlySet<unknown> {
  const lines = readFileSync(estate.data.region(region).audit, "utf8").trimEnd().split("\n");
  return new Set(lines.map((line) => JSON.parse(line).requestId));
}

function gatewayOf({ estate }: TestEstate, region: string): string {
  return `http://${estate.spec.regions[region]?.gateway}`;
}

function keyOf(tenant: string): string {
  return KEYS[tenant as keyof typeof KEYS];
}

async function servedBy(up: TestEstate, region: string): Promise<boolean> {
  const { workflows } = await up.control.status();
  return workflows.every(({ serving }) => serving.includes(region));
}

/** The whole answer to each question, asked without the client while nothing is wrong. */
async function answersBefore(up: TestEstate): Promise<ReadonlyMap<Question, string>> {
  const { spec, golden } = up.estate;
  const asked = questionsOf(spec, golden).slice(0, QUESTIONS);
  const answers = new Map<Question, string>();
  for (const question of asked) {
    const apiKey = keyOf(question.tenant);
    const client = new OpenAI({ baseURL: `${gatewayOf(up, SERVING)}/v1`, apiKey });
    const { error, text } = await ask(client, question, false);
    assert.equal(error, null);
    assert.notEqual(text, "");
    answers.set(question, text);
  }
  return answers;
}

/** Callers that go on asking, as a program does that was given both gateways. */
function startLoad(up: TestEstate, questions: readonly Question[], events: ClientEvent[]) {
  const gateways = [gatewayOf(up, SERVING), gatewayOf(up, STANDBY)];
  const fetch = createFetch({ gateways, onEvent: (event) => void events.push(event) });
  const stopping = new AbortController();
  const outcomes: Outcome[] = [];
  let asked = 0;
  const call = async (streamed: boolean): Promise<void> => {
    while (!stopping.signal.aborted) {
      const question = questions[asked++ % questions.length];
      if (question === undefined) throw new RangeError("there are no questions");
      const apiKey = keyOf(question.tenant);
      // No retries of its own: what the client's fetch lets through is counted.
      const baseURL = `${gateways[0]}/v1`;
      const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, fetch });
      outcomes.push(await ask(client, question, streamed));
      await pause(PAUSE_MS);
    }
  };
  const callers = Array.from({ length: STREAMING_CALLERS + WHOLE_CALLERS }, (_, i) =>
    call(i < STREAMING_CALLERS),
  );
  return {
    outcomes,
    stop: async (): Promise<readonly Outcome[]> => {
      stopping.abort();
      await Promise.all(callers);
      return outcomes;
    },
  };
}

async function ask(client: OpenAI, question: Question, streamed: boolean): Promise<Outcome> {
  const got = { text: "", finishes: 0, ids: new Set<string>() };
  const outcome = (error: string | null): Outcome => ({
    question,
    streamed,
    ...got,
    ids: got.ids.size,
    error,
  });
  const messages = [{ role: "user" as const, content: question.text }];
  const body = { model: question.workflow, messages };
  try {
    if (streamed) {
      for await (const event of await client.chat.completions.create({ ...body, stream: true })) {
        got.ids.add(event.id);
        got.text += event.choices[0]?.delta.content ?? "";
        if (event.choices[0]?.finish_reason) got.finishes += 1;
      }
    } else {
      const { id, choices } = await client.chat.completions.create(body);
      got.ids.add(id);
      got.text = choices[0]?.message.content ?? "";
      if (choices[0]?.finish_reason) got.finishes += 1;
    }
    return outcome(null);
  } catch (error) {
    return outcome(messageOf(error));
  }
}
