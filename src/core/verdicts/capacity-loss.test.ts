import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DETECTION } from "../../../test/support/core-values.ts";
import type { Signal } from "../../model/signal.ts";
import type { Trouble } from "../../model/trouble.ts";
import type { Health, Verdict } from "../../model/verdict.ts";
import { judgeCapacityLoss } from "./capacity-loss.ts";
import type { JudgeInput, ObservedWindow, ReleaseTrial } from "./input.ts";

const NOW = 100_000;
const STEP_MS = 500;
const [EU, US] = ["eu-west", "us-east"] as const;

/** The word of a region's gateway on one of its targets; `seconds` the failures span, and their end. */
interface Word {
  readonly region?: string;
  readonly target: string;
  /** Null: it is well again. */
  readonly standing: Trouble["standing"] | null;
  readonly since?: number;
  readonly seenAgo?: number;
  /** Of another region's gateway: it speaks of its own way there. */
  readonly gateway?: string;
  readonly lookedAgo?: number;
}

function wordWindow(word: Word): ObservedWindow {
  const { region = EU, target, standing, since = 8, seenAgo = 0, lookedAgo = 0 } = word;
  const { gateway = region } = word;
  const subject = { region, part: "target" as const, target, gateway };
  const trouble = {
    ...{ domain: "capacity-loss" as const, standing: standing ?? "out", ejections: 1 },
    ...{ sinceMs: since * 1_000, seenAgoMs: seenAgo * 1_000 },
  };
  const signal: Signal = {
    ...{ observer: "ctl:c1", observerRegion: null, seq: 1, subject, latencyMs: 2 },
    at: NOW - lookedAgo * 1_000,
    ok: standing === null,
    detail: standing === null ? "in use" : "connection refused",
    ...(standing === null ? {} : { trouble }),
  };
  return { observer: "ctl:c1", observerRegion: null, subject, signals: [signal] };
}

/** The region's agent at its models: a letter each half second, oldest first, `x` no answer. */
function probeWindow(saw: string, region: string = EU): ObservedWindow {
  const observer = `agent:${region}`;
  const subject = { region, part: "runtime" as const };
  const signals = [...saw].map((mark, index): Signal => {
    const ok = mark === ".";
    const at = NOW - (saw.length - 1 - index) * STEP_MS;
    const detail = ok ? "one: 200 in 3 ms" : "one: connection refused";
    return { observer, observerRegion: region, seq: index, subject, at, ok, detail, latencyMs: 0 };
  });
  return { observer, observerRegion: region, subject, signals: signals.toReversed() };
}

const ANSWERED = "............";
const REFUSED = "...xxxxxxxxxx"; // 4.5 s
const BRIEFLY = "........xxxxx"; // 2 s
const out = (target: string, over: Partial<Word> = {}): ObservedWindow =>
  wordWindow({ target, standing: "out", ...over });

interface About {
  readonly windows: readonly ObservedWindow[];
  readonly models?: JudgeInput["models"];
  readonly outage?: Health;
  readonly trial?: string;
}

function judged({ windows, models, outage = "healthy", trial }: About): Verdict[] {
  const outages = [EU, US].map((region): Verdict => {
    const health = region === EU ? outage : "healthy";
    return {
      ...{ domain: "region-outage", region, health, because: "" },
      ...{ witnesses: [], failingForMs: 0 },
    };
  });
  const trials = trial === undefined ? [] : [trialIn(trial)];
  const input: JudgeInput = {
    ...{ windows, regions: [EU, US], detection: DETECTION, now: NOW },
    models: models ?? new Map([[EU, ["one", "two"]]]),
    releases: { trials, windows: [], golden: [] },
  };
  return judgeCapacityLoss(input, outages);
}

function trialIn(region: string): ReleaseTrial {
  const thresholds = {} as ReleaseTrial["thresholds"];
  return {
    region,
    release: `sha256:${"1".repeat(64)}`,
    old: "",
    sinceMs: 0,
    workflows: [],
    thresholds,
  };
}

describe("the models of a region (confirm 4 s, two of them)", () => {
  const both = [out("one"), out("two")];
  const rows: [name: string, about: About, health: Health, because: RegExp][] = [
    ["that answer", { windows: [probeWindow(ANSWERED)] }, "healthy", /^eu-west's models answer$/],
    ["that nobody spoke of", { windows: [] }, "healthy", /answer$/],
    [
      "that both failed real requests for 8 s",
      { windows: both },
      "failed",
      /^no model of eu-west has answered its gateway for 8\.0 s: one: connection refused; two: /,
    ],
    [
      "that did, whatever their probes say",
      { windows: [...both, probeWindow(ANSWERED)] },
      "failed",
      /8\.0 s/,
    ],
    [
      "of which one is in use again",
      { windows: [out("one"), wordWindow({ target: "two", standing: null })] },
      "degraded",
      /^1 of 2 models of eu-west fail its gateway/,
    ],
    [
      "of which one is slow, and answers",
      { windows: [out("one"), wordWindow({ target: "two", standing: "slow" })] },
      "degraded",
      /^1 of 2 models/,
    ],
    ["of which one was never spoken of", { windows: [out("one")] }, "degraded", /^1 of 2 models/],
    [
      "that failed for less than confirm",
      { windows: [out("one"), out("two", { since: 3 })] },
      "degraded",
      /^no model of eu-west answers its gateway, for 3\.0 s .* 4\.0 s of it would confirm/,
    ],
    [
      "that failed three requests at once, 9 s ago, and none since: nobody has asked",
      {
        windows: [
          out("one", { since: 9, seenAgo: 9 }),
          out("two", { since: 9, seenAgo: 9 }),
          probeWindow(ANSWERED),
        ],
      },
      "degraded",
      /would confirm/,
    ],
    [
      "that failed a request just now, and no probe for 4.5 s",
      {
        windows: [
          out("one", { since: 0.2, seenAgo: 0.1 }),
          out("two", { since: 0.2, seenAgo: 0.1 }),
          probeWindow(REFUSED),
        ],
      },
      "failed",
      /; agent:eu-west has no answer either \(one: connection refused\)$/,
    ],
    [
      "that failed a request just now, and no probe for 2 s",
      { windows: [out("one", { since: 1 }), out("two", { since: 1 }), probeWindow(BRIEFLY)] },
      "degraded",
      /would confirm/,
    ],
    [
      "that no probe reaches, while no request has met it",
      { windows: [probeWindow(REFUSED)] },
      "degraded",
      /^no model of eu-west has answered a probe for 4\.5 s .*; no request has met it yet$/,
    ],
    [
      "that failed for long, until 13 s ago, and answer their probes",
      {
        windows: [
          out("one", { since: 60, seenAgo: 13 }),
          out("two", { since: 60, seenAgo: 13 }),
          probeWindow(ANSWERED),
        ],
      },
      "degraded",
      /no model/,
    ],
    [
      "that failed for long, until 13 s ago, and answer no probe either",
      {
        windows: [
          out("one", { since: 60, seenAgo: 13 }),
          out("two", { since: 60, seenAgo: 13 }),
          probeWindow(BRIEFLY),
        ],
      },
      "failed",
      /1 min/,
    ],
    [
      "that another region's gateway cannot reach",
      { windows: [out("one", { gateway: US }), out("two", { gateway: US })] },
      "healthy",
      /answer$/,
    ],
    [
      "on which the last word is old",
      { windows: [out("one", { lookedAgo: 3.5 }), out("two", { lookedAgo: 3.5 })] },
      "healthy",
      /answer$/,
    ],
    ["of a dead region", { windows: both, outage: "failed" }, "unknown", /its region is out$/],
    ["of a region nobody sees", { windows: both, outage: "unknown" }, "unknown", /is out$/],
    ["of one that is merely in doubt", { windows: both, outage: "degraded" }, "failed", /no model/],
    [
      "with a release on trial there, whose route may be wrong",
      { windows: [...both, probeWindow(ANSWERED)], trial: EU },
      "degraded",
      /release sha256:111111111111 is on trial there .* the release's question$/,
    ],
    [
      "with a release on trial there, and no probe answered either",
      { windows: [...both, probeWindow(REFUSED)], trial: EU },
      "failed",
      /no answer either/,
    ],
    ["with a release on trial elsewhere", { windows: both, trial: US }, "failed", /no model/],
  ];
  for (const [name, about, health, because] of rows) {
    test(`${name}: ${health}`, () => {
      const [found, ...others] = judged(about);
      assert.deepEqual(others, []);
      assert.equal(found?.health, health, found?.because ?? "no verdict");
      assert.match(found?.because ?? "", because);
    });
  }

  test("are told with who saw it, and for how long they fail", () => {
    const [found] = judged({
      windows: [out("one", { since: 9 }), out("two"), probeWindow(BRIEFLY)],
    });
    const told = { observer: "ctl:c1", observerRegion: null, saw: "connection refused" };
    const probed = { observer: `agent:${EU}`, observerRegion: EU, saw: "one: connection refused" };
    assert.deepEqual(found?.witnesses, [told, told, probed]);
    assert.deepEqual([found?.domain, found?.failingForMs], ["capacity-loss", 8_000]);
  });

  test("are nobody's question where there are none", () => {
    assert.deepEqual(judged({ windows: both, models: new Map([[EU, []]]) }), []);
  });
});

describe("the models of every region", () => {
  const models = new Map([EU, US].map((region) => [region, ["one"]]));
  const lost = [EU, US].map((region) => out("one", { region }));

  test("that fail at once have a shared cause, and nobody is to move", () => {
    for (const { health, because } of judged({ windows: lost, models })) {
      assert.equal(health, "unknown");
      assert.match(because, /^shared cause suspected: no model of eu-west and us-east answers/);
    }
  });

  test("do not, where the other region is out: it says nothing of its models", () => {
    const found = judged({ windows: lost, models, outage: "failed" });
    assert.deepEqual(
      found.map(({ health }) => health),
      ["unknown", "failed"],
    );
  });
});

test("one target in use is enough, whatever the others are and whoever looked when", () => {
  const anyWord = fc.record({
    target: fc.constantFrom("one", "three"),
    standing: fc.constantFrom<Word["standing"]>("failing", "out", "trial", "slow", null),
    since: fc.integer({ min: 0, max: 90 }),
    seenAgo: fc.integer({ min: 0, max: 20 }),
    lookedAgo: fc.integer({ min: 0, max: 4 }),
  });
  const models = new Map([[EU, ["one", "two", "three"]]]);
  fc.assert(
    fc.property(fc.array(anyWord), fc.constantFrom(ANSWERED, REFUSED), (words, saw) => {
      const used = wordWindow({ target: "two", standing: null });
      const windows = [...words.map(wordWindow), used, probeWindow(saw)];
      assert.notEqual(judged({ windows, models })[0]?.health, "failed");
    }),
  );
});
