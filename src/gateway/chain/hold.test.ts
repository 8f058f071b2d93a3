import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { handClock, QUESTION, realClock, snapshotOf } from "../../../test/support/gateway-world.ts";
import { createMetrics } from "../metrics.ts";
import { DEFAULT_TIMEOUTS } from "../options.ts";
import { SnapshotHolder } from "../snapshots.ts";
import { Memory } from "../targets/memory.ts";
import type { Answer, Attempt, Call } from "./call.ts";
import { hold } from "./hold.ts";
import { nothingKnown } from "./known.ts";

const options = { failures: 3, firstMs: 1, longestMs: 1 };

describe("how often a held request is tried", () => {
  it("often while connections are refused, which costs nothing", async () => {
    const rounds = await heldRounds(false);
    assert.deepEqual(rounds.slice(0, 4), [0, 250, 500, 750]);
    assert.equal(rounds.at(-1), 20_000);
  });

  it("ever more seldom while targets take it and fail, since that may have cost a model's work", async () => {
    assert.deepEqual(
      await heldRounds(true),
      [
        0, 250, 750, 1_750, 3_750, 5_750, 7_750, 9_750, 11_750, 13_750, 15_750, 17_750, 19_750,
        20_000,
      ],
    );
  });

  /** When each round began, in ms, of a request that nobody ever answers. */
  async function heldRounds(reached: boolean): Promise<number[]> {
    const clock = handClock();
    const began = clock.monotonic();
    const rounds: number[] = [];
    const attempt: Attempt = { target: "t", outcome: "bad", tookMs: 0, reached };
    const unanswered = async (): Promise<Answer> => {
      rounds.push(clock.monotonic() - began);
      return { kind: "unanswered", facts: { attempts: [attempt] } };
    };
    const snapshots = SnapshotHolder.standalone(snapshotOf(), "eu-west", clock);
    const metrics = createMetrics({ snapshotNumber: () => 1, targets: new Memory(clock, options) });
    const tools = { clock, snapshots, metrics, timeouts: DEFAULT_TIMEOUTS, random: () => 0 };
    const answering = Promise.resolve(hold(tools)(unanswered)(callOf(clock.monotonic())));
    let answer: Answer | null = null;
    void answering.then((settled) => {
      answer = settled;
    });
    while (answer === null) {
      // Everything that is due runs before the hands move on.
      await realClock.sleep(0);
      clock.forward(50);
    }
    const settled = await answering;
    assert.equal(settled.kind === "whole" && settled.status, 503);
    return rounds;
  }
});

function callOf(arrivedAt: number): Call {
  return {
    id: "r",
    headers: {},
    readBody: async () => ({ kind: "gone" }),
    arrivedAt,
    signal: new AbortController().signal,
    snapshot: snapshotOf(),
    forwardedBy: null,
    readiness: false,
    ticket: { admitted: false },
    known: nothingKnown(snapshotOf()),
    api: "chat",
    toChat: null,
    workflow: QUESTION.model,
    embeddings: null,
    tenant: "acme",
    body: Buffer.alloc(0),
    request: QUESTION,
    route: null,
    mode: null,
    documents: [],
  };
}
