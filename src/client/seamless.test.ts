import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { judge } from "../core/stream/state.ts";
import {
  anyCuts,
  anyPlaces,
  clientOver,
  cutting,
  delta,
  framesOf,
  meaning,
  meant,
  readAll,
  text,
  under,
} from "./answers.fixture.ts";
import { EU, type Got, resumeOf, tellingOf, US } from "./gateways.fixture.ts";

describe("any answer, cut anywhere and in any pieces", () => {
  const said = fc.oneof(
    fc.tuple(fc.nat(2), fc.string({ unit: "binary" })).map(([i, words]) => text(words, i)),
    fc.nat(2).map((i) => delta(i, { role: "assistant", content: "" })),
    fc.string().map((words) => delta(0, { reasoning_content: words })),
  );
  const anyAnswer = fc
    .record({
      n: fc.integer({ min: 1, max: 3 }),
      said: fc.array(said, { maxLength: 10 }),
      usage: fc.boolean(),
    })
    .map(({ n, said, usage }) => {
      const fitting = said.filter((event) =>
        framesOf([JSON.stringify(event)]).every(
          (frame) => frame.kind === "chunk" && frame.chunk.choices.every(({ index }) => index < n),
        ),
      );
      const ends = Array.from({ length: n }, (_, i) => delta(i, {}, "stop"));
      const tokens = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
      return {
        n,
        events: [...fitting, ...ends, ...(usage ? [{ choices: [], usage: tokens }] : [])],
      };
    });
  it("equals the uncut answer: nothing twice, nothing lost, one finish, one [DONE]", async () => {
    await fc.assert(
      fc.asyncProperty(anyAnswer, anyCuts, anyPlaces, async ({ n, events }, cuts, places) => {
        const tells = (id: string) => (got: Got) => tellingOf(under(id, events), resumeOf(got));
        const { ask } = clientOver(cutting({ [EU]: tells("a"), [US]: tells("b") }, cuts, places));
        const { data, state, error } = await readAll(await ask(n));
        if (error !== null) {
          // Only cut again and again without a new word between; and then it never looks finished.
          assert.match(String(error), /3 tries in a row brought nothing new/);
          assert.ok(cuts.length >= 3);
          assert.equal(judge(state).whole, false);
          assert.ok([...state.choices.values()].every(({ finish }) => finish === null));
          return;
        }
        const { id: _a, usage: told, ...got } = meaning(state);
        const { id: _b, usage, ...wanted } = meant(under("x", events));
        assert.deepEqual(got, wanted);
        // Cut behind the last finish and before the usage, the answer is whole without it.
        assert.ok(told === null || told.completionTokens === usage?.completionTokens);
        assert.equal(data.filter((one) => one === "[DONE]").length, 1);
        assert.equal(data.at(-1), "[DONE]");
        const ids = new Set(data.slice(0, -1).map((one) => JSON.parse(one).id));
        assert.ok(ids.size <= 1, [...ids].join());
        const finishes = framesOf(data).flatMap((frame) =>
          frame.kind === "chunk" ? frame.chunk.choices.filter(({ finish }) => finish !== null) : [],
        );
        assert.equal(finishes.length, n);
      }),
      { numRuns: 300 },
    );
  });
});
