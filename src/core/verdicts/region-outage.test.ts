import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DETECTION } from "../../../test/support/core-values.ts";
import type { Signal, Subject } from "../../model/signal.ts";
import type { Verdict } from "../../model/verdict.ts";
import type { ObservedWindow } from "./input.ts";
import { judge } from "./judge.ts";

/**
 * One observer's window, written down: a letter for each look, oldest first, half a second apart,
 * the last one now. `x` no answer, `.` an answer, `-` did not look.
 */
interface Look {
  readonly observer: string;
  readonly observerRegion: string | null;
  readonly saw: string;
  readonly region?: string;
  readonly part?: Exclude<Subject["part"], "target">;
}

const NOW = 100_000;
const STEP_MS = 500;
const REGIONS = ["eu-west", "us-east"];

function windowOf({ observer, observerRegion, saw, region, part }: Look): ObservedWindow {
  const subject = { region: region ?? "eu-west", part: part ?? "gateway" };
  const signals = [...saw].flatMap((mark, index): Signal[] => {
    if (mark === "-") return [];
    const ok = mark === ".";
    const at = NOW - (saw.length - 1 - index) * STEP_MS;
    const detail = ok ? "200 in 3 ms" : "connection refused";
    return [{ observer, observerRegion, seq: index, subject, at, ok, detail, latencyMs: 0 }];
  });
  return { observer, observerRegion, subject, signals: signals.toReversed() };
}

function judged(looks: readonly Look[], over: Partial<typeof DETECTION> = {}): Verdict[] {
  const windows = looks.map(windowOf).filter(({ signals }) => signals.length > 0);
  return judge({ windows, regions: REGIONS, detection: { ...DETECTION, ...over }, now: NOW });
}

function euWest(looks: readonly Look[], over: Partial<typeof DETECTION> = {}): Verdict {
  const found = judged(looks, over).find(({ region }) => region === "eu-west");
  assert.ok(found);
  return found;
}

/** Three observers: inside eu-west, in us-east, and outside every region. */
const inside = (saw: string): Look => ({ observer: "agent:eu", observerRegion: "eu-west", saw });
const abroad = (saw: string): Look => ({ observer: "agent:us", observerRegion: "us-east", saw });
const nowhere = (saw: string): Look => ({ observer: "ctl:c1", observerRegion: null, saw });
const onUsEast = (look: Look): Look => ({ ...look, region: "us-east" });

test("region outage: the table (confirm 4 s, one look each 0.5 s, two witnesses)", () => {
  const up = ".............";
  const down = "...xxxxxxxxxx"; // 4.5 s
  const brief = "........xxxxx"; // 2 s
  const table: [name: string, looks: Look[], health: string, because: RegExp][] = [
    ["all answered", [inside(up), abroad(up), nowhere(up)], "healthy", /gateway answers$/],
    ["answered, two observers", [abroad(up), nowhere(up)], "healthy", /gateway answers$/],
    [
      "nobody answered for confirm",
      [abroad(down), nowhere(down)],
      "failed",
      /^eu-west's gateway has answered nobody for 4\.5 s: agent:us \(connection refused\) and ctl:c1 \(connection refused\) agree$/,
    ],
    [
      "inside witness died with it",
      [inside("....---------"), abroad(down), nowhere(down)],
      "failed",
      /agree, and agent:eu inside it fell silent 4\.5 s ago$/,
    ],
    ["inside witness agrees", [inside(down), abroad(down)], "failed", /agent:eu .* agent:us/],
    ["stopped for two seconds", [abroad(brief), nowhere(brief)], "degraded", /2\.0 s more would/],
    ["one observer only", [abroad(down)], "degraded", /only agent:us .*2 witnesses are needed/],
    [
      "outside observers disagree",
      [abroad(down), nowhere(up)],
      "degraded",
      /^ctl:c1 is answered by eu-west's gateway while agent:us had no answer for 4\.5 s$/,
    ],
    ["inside says it lives", [inside(up), abroad(down), nowhere(down)], "degraded", /agent:eu is/],
    [
      "one was answered lately",
      [abroad(down), nowhere(brief)],
      "degraded",
      /but ctl:c1 had one 2\.5 s ago: 1\.5 s more/,
    ],
    [
      "one that went silent was answered lately",
      [inside(".....-------"), abroad("xxxxxxxxxxxx"), nowhere("xxxxxxxxxxxx")],
      "degraded",
      /but agent:eu had one 3\.5 s ago: 500 ms more/,
    ],
    [
      "nobody outside confirms",
      [inside(down), { ...inside(down), observer: "gw:eu" }],
      "degraded",
      /nobody outside eu-west/,
    ],
    ["nobody ever looked", [], "unknown", /nobody has looked at eu-west's gateway yet/],
    [
      "all observers silent",
      [abroad("xxxxx--------")],
      "unknown",
      /the last was agent:us, 4\.0 s ago/,
    ],
    [
      "a gap in the looking",
      [abroad("xxx-------xxx"), nowhere("xxx-------xxx")],
      "degraded",
      /3\.0 s more/,
    ],
    ["came back", [abroad("xxxxxxxxxxxx."), nowhere("xxxxxxxxxxxx.")], "healthy", /answers$/],
    [
      "the runtime alone fails",
      [abroad(up), nowhere(up), { ...inside(down), part: "runtime" }],
      "healthy",
      /answers$/,
    ],
    [
      "agent alone fails",
      [abroad(up), nowhere(up), { ...abroad(down), part: "agent" }],
      "healthy",
      /answers$/,
    ],
  ];
  for (const [name, looks, health, because] of table) {
    const found = euWest(looks);
    assert.equal(found.health, health, `${name}: ${found.because}`);
    assert.match(found.because, because, name);
  }
});

test("an observer that reaches no region at all is suspect, and no witness", () => {
  const down = "xxxxxxxxxxxx";
  const lost = [nowhere(down), onUsEast(nowhere(down))];
  const found = euWest([abroad(down), onUsEast(abroad("............")), ...lost]);
  assert.equal(found.health, "degraded");
  assert.match(found.because, /only agent:us/);
  const alone = euWest(lost);
  assert.equal(alone.health, "unknown");
  assert.match(alone.because, /ctl:c1 .* reaches no region at all: its own network is suspect/);
});

test("an answer from one region clears an observer of suspicion about another", () => {
  const down = "xxxxxxxxxxxx";
  const up = "............";
  const looks = [abroad(down), onUsEast(abroad(up)), nowhere(down), onUsEast(nowhere(up))];
  assert.deepEqual(
    judged(looks).map(({ health }) => health),
    ["failed", "healthy"],
  );
});

test("if every region looks failed, none is: a shared cause is suspected", () => {
  const down = "xxxxxxxxxxxx";
  const each = [inside(down), abroad(down), nowhere(down)];
  for (const found of judged([...each, ...each.map(onUsEast)])) {
    assert.equal(found.health, "unknown");
    assert.match(found.because, /^shared cause suspected: eu-west and us-east/);
  }
});

test("also when each observer watches one region only", () => {
  const down = "xxxxxxxxxxxx";
  const second = (look: Look): Look => onUsEast({ ...look, observer: `${look.observer}-2` });
  const looks = [abroad(down), nowhere(down), second(inside(down)), second(nowhere(down))];
  assert.deepEqual(
    judged(looks).map(({ health }) => health),
    ["unknown", "unknown"],
  );
});

test("a verdict of failed names its witnesses and how far back the failing reaches", () => {
  const found = euWest([abroad(".xxxxxxxxxx"), nowhere("..xxxxxxxxx")]);
  assert.equal(found.failingForMs, 4_500);
  assert.deepEqual(found.witnesses, [
    {
      observer: "agent:us",
      observerRegion: "us-east",
      saw: "10 failures in 4.5 s, newest: connection refused",
    },
    {
      observer: "ctl:c1",
      observerRegion: null,
      saw: "9 failures in 4.0 s, newest: connection refused",
    },
  ]);
});

test("the spec's own number of witnesses is needed, and one is never enough", () => {
  const looks = [abroad("xxxxxxxxxxxx"), nowhere("xxxxxxxxxxxx")];
  assert.equal(euWest(looks, { witnesses: 3 }).health, "degraded");
  assert.equal(euWest(looks, { witnesses: 2 }).health, "failed");
  assert.equal(euWest(looks.slice(0, 1), { witnesses: 1 }).health, "degraded");
});

test("three failures are needed, however long they take", () => {
  const slow = { interval: 4_000, timeout: 4_000 };
  assert.equal(euWest([abroad("x--------x"), nowhere("x--------x")], slow).health, "degraded");
  assert.equal(euWest([abroad("x---x----x"), nowhere("x---x----x")], slow).health, "failed");
});

/** Any looks at all, by up to four observers, at up to two regions. */
const anyLooks = fc.array(
  fc.record({
    observer: fc.constantFrom("a", "b", "c", "d"),
    region: fc.constantFrom(...REGIONS),
    saw: fc
      .array(
        fc.oneof(
          { arbitrary: fc.constant("x"), weight: 6 },
          { arbitrary: fc.constantFrom(".", "-"), weight: 1 },
        ),
        { minLength: 12, maxLength: 20 },
      )
      .map((marks) => marks.join("")),
  }),
  { maxLength: 8 },
);
const HOMES: Readonly<Record<string, string | null>> = {
  a: null,
  b: "us-east",
  c: "eu-west",
  d: "us-east",
};

function unique(looks: readonly { observer: string; region: string; saw: string }[]): Look[] {
  const byName = new Map(looks.map((look) => [`${look.observer}/${look.region}`, look]));
  return [...byName.values()].map((look) => ({
    ...look,
    observerRegion: HOMES[look.observer] ?? null,
  }));
}

test("safety: failed never stands against an answer within confirm, from anybody at all", () => {
  let failed = 0;
  const answer = fc.record({
    observer: fc.constantFrom("a", "b", "c", "d"),
    ago: fc.integer({ min: 0, max: DETECTION.confirm / STEP_MS }),
  });
  fc.assert(
    fc.property(anyLooks, answer, (drawn, { observer, ago }) => {
      const looks = unique(drawn);
      failed += judged(looks).filter(({ health }) => health === "failed").length;
      const others = looks.filter(
        (look) => look.observer !== observer || look.region !== "eu-west",
      );
      const observerRegion = HOMES[observer] ?? null;
      const saw = `.${"x".repeat(ago)}`;
      const found = euWest([...others, { observer, observerRegion, saw }]);
      assert.notEqual(found.health, "failed", found.because);
    }),
    { numRuns: 500 },
  );
  assert.ok(failed > 0, "the property never saw a failed region, so it proved nothing");
});

test("safety: failed always has two witnesses, one outside, and another region that is not failed", () => {
  fc.assert(
    fc.property(anyLooks, (drawn) => {
      const verdicts = judged(unique(drawn));
      const failed = verdicts.filter(({ health }) => health === "failed");
      assert.ok(failed.length < verdicts.length);
      for (const { witnesses, region, failingForMs } of failed) {
        assert.ok(new Set(witnesses.map(({ observer }) => observer)).size >= 2);
        assert.ok(witnesses.some(({ observerRegion }) => observerRegion !== region));
        assert.ok(failingForMs >= DETECTION.confirm);
      }
    }),
    { numRuns: 500 },
  );
});

test("safety: one observer, whatever it reports, never fails a region", () => {
  fc.assert(
    fc.property(anyLooks, (drawn) => {
      const looks = unique(drawn.map((look) => ({ ...look, observer: "a" })));
      assert.ok(judged(looks).every(({ health }) => health !== "failed"));
    }),
  );
});

test("no verdict changes by what gateways say of their targets: a region without them lives", () => {
  const anyTarget = fc.record({
    observer: fc.constantFrom("a", "b", "c", "d"),
    region: fc.constantFrom(...REGIONS),
    gateway: fc.constantFrom(...REGIONS),
    saw: fc.constantFrom("x", "xxxxxxxxxxxxx", "......", "....xxxxxxxxxx."),
  });
  fc.assert(
    fc.property(anyLooks, fc.array(anyTarget, { maxLength: 8 }), (drawn, targets) => {
      const windows = unique(drawn)
        .map(windowOf)
        .filter(({ signals }) => signals.length > 0);
      const more = targets.map(({ observer, region, gateway, saw }): ObservedWindow => {
        const observerRegion = HOMES[observer] ?? null;
        const subject = { region, part: "target", target: "gpu-1", gateway } as const;
        const { signals } = windowOf({ observer, observerRegion, saw, region });
        return {
          observer,
          observerRegion,
          subject,
          signals: signals.map((one) => ({ ...one, subject })),
        };
      });
      const given = { regions: REGIONS, detection: DETECTION, now: NOW };
      assert.deepEqual(
        judge({ ...given, windows: [...windows, ...more] }),
        judge({ ...given, windows }),
      );
    }),
  );
});

test("every region gets one verdict with one sentence, whatever was seen", () => {
  fc.assert(
    fc.property(anyLooks, (drawn) => {
      const verdicts = judged(unique(drawn));
      assert.deepEqual(
        verdicts.map(({ region }) => region),
        REGIONS,
      );
      assert.ok(verdicts.every(({ because }) => because.length > 10 && !because.endsWith(".")));
    }),
  );
});
