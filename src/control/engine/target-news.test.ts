import assert from "node:assert/strict";
import { test } from "node:test";
import type { SeenTarget } from "../../core/signals/troubles.ts";
import type { Trouble } from "../../model/trouble.ts";
import { createTargetNews } from "./target-news.ts";

function seen(standing: Trouble["standing"] | null): SeenTarget {
  const [region, target] = ["eu-west", "gpu-1"];
  const trouble = standing && {
    ...{ target, region, domain: "capacity-loss" as const, standing },
    ...{ sinceMs: 0, ejections: 1, because: "3 failures in a row" },
  };
  const subject = { region, part: "target", target, gateway: "eu-west" } as const;
  return { subject, observer: "agent:eu-west", trouble };
}

/** What a leader writes that sees this at these moments (ms). */
function told(looks: readonly (readonly [at: number, standing: Trouble["standing"] | null])[]) {
  const news = createTargetNews();
  return looks.flatMap(([at, standing]) => {
    const facts = news.since([seen(standing)], at);
    news.written([seen(standing)], at);
    return facts.map(({ text, kind }) => [at, kind, text]);
  });
}

const OUT = "the gateway of eu-west leaves gpu-1 of eu-west alone: 3 failures in a row";
const BACK = "the gateway of eu-west uses gpu-1 of eu-west again";

test("a target that is left alone is told once, and once that it is back", () => {
  const looks = [
    [0, "out"],
    [500, "out"],
    [900, "trial"],
    [1_000, null],
    [10_899, null],
    [10_900, null],
    [11_500, null],
  ] as const;
  assert.deepEqual(told(looks), [
    [0, "signal", OUT],
    [10_900, "signal", BACK],
  ]);
});

test("one that comes and goes each second is told once, not each second", () => {
  const looks = Array.from({ length: 60 }, (_, i) => [i * 1_000, i % 2 ? null : "out"] as const);
  assert.deepEqual(told(looks), [[0, "signal", OUT]]);
});

test("one that only fails is no news", () => {
  assert.deepEqual(
    told([
      [0, "failing"],
      [20_000, null],
    ]),
    [],
  );
});

test("one that nobody sees any more is not said to be back", () => {
  const news = createTargetNews();
  news.written([seen("out")], 0);
  assert.deepEqual(news.since([], 60_000), []);
});

test("what could not be written is said again, and a new term says everything again", () => {
  const news = createTargetNews();
  assert.equal(news.since([seen("out")], 0).length, 1);
  assert.equal(news.since([seen("out")], 500).length, 1);
  news.written([seen("out")], 500);
  assert.equal(news.since([seen("out")], 1_000).length, 0);
  news.forget();
  assert.equal(news.since([seen("out")], 1_500).length, 1);
});
