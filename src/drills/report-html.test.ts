import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ReportContent } from "../core/evidence/report.ts";
import { sampleReport } from "./report-html/sample.fixture.ts";
import { renderReport } from "./report-html.ts";

const VOID = new Set(["meta"]);

/** As assert.doesNotMatch, without a whole page in the message. */
function assertLacks(page: string, pattern: RegExp): void {
  assert.equal(pattern.exec(page)?.[0], undefined);
}

/**
 * Reads a page far more strictly than a browser does: every tag must be one of our own making, and
 * every opened one be closed. Gives the text between the tags, entities decoded.
 */
function readStrictly(page: string): { text: string; tags: string[] } {
  const body = page.replace(/<!doctype html>/, "").replace(/<style>[^<]*<\/style>/, "");
  const open: string[] = [];
  const tags: string[] = [];
  const text = body.replace(/<[^>]*>/g, (tag) => {
    const found = /^<(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z][\w-]*="[^"<>]*")*) ?(\/?)>$/.exec(tag);
    assert.ok(found, `not a tag that the renderer writes: ${tag}`);
    const [, closing, name = "", attributes, selfClosed] = found;
    assertLacks(attributes ?? "", / on[a-z]+=| src=|javascript:/i);
    if (closing) assert.equal(open.pop(), name, `closed out of order: ${tag}`);
    else if (!selfClosed && !VOID.has(name)) open.push(name);
    tags.push(name);
    return "";
  });
  assert.deepEqual(open, [], "every tag is closed");
  assertLacks(text, /[<>]/);
  return { text: decode(text), tags };
}

function decode(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}

function withText(text: string): ReportContent {
  const base = sampleReport();
  return {
    ...base,
    title: text,
    estate: text,
    release: text,
    failback: { completed: false, to: text, tookSeconds: null, because: text },
    checks: [
      { name: text, pass: false, evidence: text },
      { name: text, pass: true, evidence: text },
    ],
    timeline: ["fault", "verdict", "plan", text].map((kind, at) => ({
      at: base.startedAt + at,
      offsetSeconds: at,
      lane: text,
      text,
      kind,
    })),
    epochs: [{ workflow: text, before: 1, after: 2 }],
    evidenceChain: { entries: 1, head: text, intact: false },
    verdict: "fail",
  };
}

const HOSTILE = [
  "</style><script>alert(1)</script>",
  '" onload="alert(1)',
  "' autofocus onfocus='alert(1)",
  "<img src=x onerror=alert(1)>",
  "<!-- ",
  "]]>",
  "&lt;script&gt;",
  "&#x3c;script>",
  "$& $1 $` $'",
  "javascript:alert(1)",
  "__proto__",
  "<\u0000script>",
  "\ud800<b>",
];

test("no text becomes markup, and each is still readable as it was", () => {
  const hostile = fc.oneof(
    fc.constantFrom(...HOSTILE),
    fc.string({ unit: "binary" }),
    fc.tuple(fc.constantFrom(...HOSTILE), fc.string()).map(([a, b]) => a + b),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      const read = readStrictly(renderReport(withText(text)));
      assert.ok(!read.tags.includes("script") && !read.tags.includes("img"));
      const clean = text
        .toWellFormed()
        .replace(/(?![\t\n\r])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
      assert.ok(read.text.includes(clean), "the text itself is on the page");
    }),
    { numRuns: 150 },
  );
});

test("control characters and reading-order tricks are shown, not obeyed", () => {
  const page = renderReport(withText("lag \u202e000 1\u202c ms\u0007"));
  for (const sign of ["\u202e", "\u202c", "\u0007"]) assert.ok(!page.includes(sign));
  assert.match(page, /lag \ufffd000 1\ufffd ms\ufffd/);
});

test("the page needs nothing from anywhere and runs nothing", () => {
  const page = renderReport(sampleReport());
  const { tags } = readStrictly(page);
  for (const tag of ["script", "link", "img", "iframe", "object"]) {
    assert.ok(!tags.includes(tag), tag);
  }
  assertLacks(page, /https?:|url\(|@import/);
  assert.match(page, /default-src 'none'/);
});

test("the verdict is said in words, once, and never the other one", () => {
  const passed = renderReport(sampleReport());
  assert.match(passed, />✓<\/span> PASS</);
  assertLacks(passed, /FAIL\b|FAILED/);
  const failed = renderReport(sampleReport({ verdict: "fail" }));
  assert.match(failed, />✗<\/span> FAIL</);
  assertLacks(failed, /\bPASS\b/);
});

test("a page that shows a failed check never says PASS", () => {
  const [first, ...rest] = sampleReport().checks;
  assert.ok(first);
  const checks = [...rest, { ...first, pass: false }];
  assertLacks(renderReport(sampleReport({ checks, verdict: "pass" })), /\bPASS\b/);
  assertLacks(renderReport(sampleReport({ checks: [], verdict: "pass" })), /\bPASS\b/);
});

test("every check is there with its evidence, the failed ones first", () => {
  const checks = Array.from({ length: 30 }, (_, at) => ({
    name: `check number ${at}.`,
    pass: at % 7 !== 3,
    evidence: `evidence number ${at}.`,
  }));
  const page = renderReport(sampleReport({ checks, verdict: "fail" }));
  const table = page.slice(page.indexOf('<table class="checks">'));
  const order = [...table.matchAll(/>(✓ passed|✗ FAILED)<\/td><td class="name">(.+?)<\/td>/g)];
  assert.equal(order.length, 30);
  const failed = checks.filter(({ pass }) => !pass);
  assert.deepEqual(
    order.map(([, result, name]) => [result, name]),
    [
      ...failed.map(({ name }) => ["✗ FAILED", name]),
      ...checks.filter(({ pass }) => pass).map(({ name }) => ["✓ passed", name]),
    ],
  );
  for (const { evidence } of checks) assert.ok(table.includes(`>${evidence}<`), evidence);
  assert.match(page, /4 of 30 checks do not hold\./);
});

test("objectives, actuals, split, requests and record are stated", () => {
  const content = sampleReport();
  const { text } = readStrictly(renderReport(content));
  const wanted = [
    "RTA actual6.20 s",
    "RTO objective10 s",
    "RPA actual0.41 s",
    "RPO objective2 s",
    "with 3.80 s to spare",
    "detect3.42 s55 %",
    "decide0.26 s4 %",
    "verify1.61 s26 %",
    "open0.08 s1 %",
    "propagate0.83 s13 %",
    "sent612",
    "answered607",
    "failed0",
    "cut5",
    "Completed to eu-west in 2.71 s",
    "2026-11-23 02:58:41 UTC",
    content.release,
    content.evidenceChain.head,
    "✓ intact, 148 entries",
    "handbook-search13",
  ];
  for (const words of wanted) assert.ok(text.includes(words), words);
});

test("a missed objective says by how much, and a recovery that was not seen says so", () => {
  const late = sampleReport({ actual: { rtaSeconds: 12.5, rpaSeconds: 0 }, verdict: "fail" });
  assert.match(renderReport(late), /✗ Misses the objective by 2\.50 s\./);
  const unseen = sampleReport({ actual: { rtaSeconds: 0, rpaSeconds: 0 }, verdict: "fail" });
  const page = renderReport(unseen);
  assert.match(page, /✗ No RTA was measured/);
  assertLacks(page, /No RPA was measured/);
});

test("requests without an outcome are not passed over", () => {
  const requests = { sent: 100, succeeded: 90, failed: 2, cut: 1 };
  const { text } = readStrictly(renderReport(sampleReport({ requests })));
  assert.ok(text.includes("unaccounted7"));
});

test("every event is in the list, with the fault as zero", () => {
  const content = sampleReport();
  const page = renderReport(content);
  const list = page.slice(page.indexOf('<table class="events">'));
  assert.equal(list.match(/<td class="text">/g)?.length, content.timeline.length);
  assert.match(list, />0\.00<\/td><td class="num soft">02:58:44\.520<\/td><td>eu-west</);
  assert.match(list, />−3\.00<\/td>/);
});

test("no figure is ever NaN, infinite, undefined or null", () => {
  const number = fc.oneof(
    fc.constantFrom(0, -0, -1, Number.NaN, Number.POSITIVE_INFINITY, -1e300, 1e300, 8.64e15, 1e-9),
    fc.double(),
  );
  const content = fc
    .array(number, { minLength: 24, maxLength: 24 })
    .map((values): ReportContent => {
      let at = 0;
      const next = (): number => values[at++ % values.length] ?? 0;
      const base = sampleReport();
      return {
        ...base,
        startedAt: next(),
        objective: { rtoSeconds: next(), rpoSeconds: next() },
        actual: { rtaSeconds: next(), rpaSeconds: next() },
        split: {
          detectSeconds: next(),
          decideSeconds: next(),
          verifySeconds: next(),
          openSeconds: next(),
          propagateSeconds: next(),
          totalSeconds: next(),
        },
        requests: { sent: next(), succeeded: next(), failed: next(), cut: next() },
        failback: { completed: true, to: null, tookSeconds: next(), because: "" },
        timeline: base.timeline
          .slice(0, Math.trunc(Math.abs(next())) % 5)
          .map((event) => ({ ...event, at: next(), offsetSeconds: next() })),
        epochs: [{ workflow: "w", before: next(), after: next() }],
        evidenceChain: { entries: next(), head: "", intact: false },
      };
    });
  fc.assert(
    fc.property(content, (one) => {
      const page = renderReport(one);
      readStrictly(page);
      assertLacks(page, /NaN|Infinity|undefined|null|\[object|e[+-]\d{2,}/);
    }),
    { numRuns: 150 },
  );
});

test("an empty report and a report of one event are whole pages", () => {
  const zero = {
    detectSeconds: 0,
    decideSeconds: 0,
    verifySeconds: 0,
    openSeconds: 0,
    propagateSeconds: 0,
    totalSeconds: 0,
  };
  const empty = sampleReport({
    objective: { rtoSeconds: 0, rpoSeconds: 0 },
    actual: { rtaSeconds: 0, rpaSeconds: 0 },
    split: zero,
    requests: { sent: 0, succeeded: 0, failed: 0, cut: 0 },
    failback: { completed: false, to: null, tookSeconds: null, because: "" },
    checks: [],
    timeline: [],
    epochs: [],
    verdict: "fail",
  });
  const { text } = readStrictly(renderReport(empty));
  assert.ok(text.includes("Nothing was checked, so nothing is proven."));
  assert.ok(text.includes("Nothing was recorded."));
  assert.ok(text.includes("No request was sent"));
  const [event] = sampleReport().timeline;
  assert.ok(event);
  readStrictly(renderReport({ ...empty, timeline: [event] }));
});

test("a cure that moves nobody speaks of no standby, and one that moves somebody does", () => {
  const moved = renderReport(sampleReport());
  assert.match(moved, /from the fault until answers come from the standby/);
  const failback = { completed: true, to: null, tookSeconds: null, because: "nothing was moved" };
  const stayed = renderReport({ ...sampleReport(), failback });
  assert.match(stayed, /from the first region that had it until the good one is proven everywhere/);
  const figures = stayed.slice(0, stayed.indexOf('id="timeline"'));
  assert.doesNotMatch(figures, /standby/);
});
