import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuditRecord } from "../../model/audit.ts";
import { EMPTY_POSITION, type Position } from "../../model/position.ts";
import type { BehaviourDifference } from "../../wire/behaviour.ts";
import { judgeAudit } from "./audit.ts";
import type { Judgement } from "./check.ts";
import { judgeGolden, sampleOf } from "./golden.ts";
import type { ObservedAnswer } from "./golden-answer.ts";
import { judgeIndex, type KnownOwner } from "./index-fresh.ts";
import { judgeModel, type ObservedTarget } from "./model.ts";
import { judgeRateLimit } from "./rate-limit.ts";
import { judgeRelease } from "./release.ts";
import { verdictOf } from "./run.ts";
import { judgeIsolation, type ObservedPair, quotes } from "./tenant-isolation.ts";

type Case = readonly [name: string, judgement: () => Judgement, pass: boolean, evidence: RegExp];

function table(name: string, cases: readonly Case[]): void {
  describe(name, () => {
    for (const [what, judgement, pass, evidence] of cases) {
      it(`${pass ? "passes" : "fails"} with ${what}`, () => {
        const judged = judgement();
        assert.equal(judged.pass, pass, judged.evidence);
        assert.match(judged.evidence, evidence);
      });
    }
  });
}

const intended = { id: "m-1", fingerprint: "f1", embedding: "e1" };
const recorded = {
  ...intended,
  behaviour: { tolerance: 0.02, answers: [{ ask: "17?", tokens: [] }] },
};
const target = (given: Partial<ObservedTarget> = {}): ObservedTarget => ({
  name: "local",
  models: ["m-1"],
  fingerprint: "f1",
  embedding: "e1",
  failure: null,
  ...given,
});
const away = target({ name: "spare", failure: "connection refused" });

const differs = (distance: number | null): BehaviourDifference => ({
  distance,
  compared: 300,
  apart: [],
  silent: 0,
});
table("the model check", [
  [
    "the intended model",
    () => judgeModel(intended, [target()]),
    true,
    /local has m-1, answers as f1 and embeds as e1/,
  ],
  [
    "a target that is away beside a good one",
    () => judgeModel(intended, [away, target()]),
    true,
    /away: spare: connection refused/,
  ],
  [
    "no target that answers",
    () => judgeModel(intended, [away]),
    false,
    /no runtime target answers: spare: connection refused/,
  ],
  [
    "another model's name",
    () => judgeModel(intended, [target({ models: ["m-2"] })]),
    false,
    /local has m-2, not m-1/,
  ],
  [
    "the right name on another model",
    () => judgeModel(intended, [target({ fingerprint: "f2" })]),
    false,
    /answers as f2, the release expects f1/,
  ],
  [
    "another embedding",
    () => judgeModel(intended, [target({ embedding: "e2" })]),
    false,
    /embeds as e2, the release expects e1/,
  ],
  [
    "a wrong target beside a good one",
    () => judgeModel(intended, [target(), target({ name: "spare", fingerprint: "f2" })]),
    false,
    /spare answers as f2/,
  ],
  [
    "nobody that embeds",
    () => judgeModel(intended, [target({ embedding: null })]),
    false,
    /none of local embeds/,
  ],
  [
    "one of two that embeds",
    () => judgeModel(intended, [target({ embedding: null }), target({ name: "spare" })]),
    true,
    /embeds as e1/,
  ],
  [
    "no embedding where none is needed",
    () => judgeModel({ ...intended, embedding: null }, [target({ embedding: null })]),
    true,
    /answers as f1$/,
  ],
  [
    "the right words, and log-probabilities within the tolerance",
    () => judgeModel(recorded, [target({ behaviour: differs(0.019) })]),
    true,
    /answers as f1 \(log-probabilities within 0\.019 of 0\.02\)/,
  ],
  [
    "the right words out of quantized weights",
    () => judgeModel(recorded, [target({ behaviour: differs(0.21) })]),
    false,
    /local is not the release's model, or not stored as it was: .* differ by 0\.210, 0\.02 is allowed/,
  ],
  [
    "another token where the release's model is sure",
    () =>
      judgeModel(recorded, [
        target({
          behaviour: { ...differs(0.01), apart: [{ ask: "17?", said: "391", recorded: "392" }] },
        }),
      ]),
    false,
    /local says "391" where the release's model surely says "392", asked "17\?": other weights/,
  ],
  [
    "a server that tells no log-probabilities",
    () => judgeModel(recorded, [target({ behaviour: differs(null) })]),
    true,
    /answers as f1 \(by its words alone: it tells no log-probabilities\)/,
  ],
  ["no release to compare with", () => judgeModel(null, [target()]), true, /no release to compare/],
]);

const wanted = { region: "us-east", digest: "sha256:1", newest: 4 };
const answered = { failure: null, region: "us-east", digest: "sha256:1", serves: 4 };

table("the release check", [
  [
    "all as expected",
    () => judgeRelease(wanted, answered),
    true,
    /release sha256:1, snapshot 4 \(the newest\)/,
  ],
  [
    "no answer",
    () => judgeRelease(wanted, { ...answered, failure: "connection refused" }),
    false,
    /not answered: connection refused/,
  ],
  [
    "an answer from elsewhere",
    () => judgeRelease(wanted, { ...answered, region: "eu-west" }),
    false,
    /answered by eu-west, not by us-east/,
  ],
  [
    "another release",
    () => judgeRelease(wanted, { ...answered, digest: "sha256:2" }),
    false,
    /with release sha256:2, expected sha256:1/,
  ],
  [
    "an old snapshot",
    () => judgeRelease(wanted, { ...answered, serves: 3 }),
    false,
    /serves snapshot 3, the newest is 4/,
  ],
  [
    "a release that has expired while it runs, and says so",
    () => judgeRelease({ ...wanted, remark: "EXPIRED at 2026-11-23T12:00:00Z" }, answered),
    true,
    /snapshot 4 \(the newest\); EXPIRED at 2026-11-23T12:00:00Z$/,
  ],
  [
    "any snapshot when the store is gone",
    () => judgeRelease({ ...wanted, newest: null }, { ...answered, serves: 3 }),
    true,
    /the store cannot be asked/,
  ],
]);

const at = (seq: number, sourceTime: number, given: Partial<Position> = {}): Position => ({
  seq,
  sourceTime,
  digest: String(seq).padStart(32, "0"),
  count: seq,
  ...given,
});
const owner = (position: Position, agoMs: number | null = 0): KnownOwner => ({
  region: "eu-west",
  position,
  agoMs,
});
const index = (own: Position, known: "self" | KnownOwner | null, exact = false) =>
  judgeIndex({ maxLagMs: 2_000, exact }, { own, owner: known });

table("the index check", [
  ["an empty index", () => index(EMPTY_POSITION, "self"), false, /empty/],
  ["the owner itself", () => index(at(5, 1_000), "self"), true, /this region is the owner/],
  ["a level copy", () => index(at(5, 1_000), owner(at(5, 1_000))), true, /level with eu-west/],
  [
    "a lag at the bound",
    () => index(at(5, 1_000), owner(at(6, 3_000))),
    true,
    /2\.0 s behind eu-west; 2\.0 s is allowed/,
  ],
  ["a lag above it", () => index(at(5, 1_000), owner(at(6, 3_001))), false, /2\.0 s behind/],
  [
    "the last known position of a dead owner",
    () => index(at(5, 1_000), owner(at(5, 1_000), 3_200)),
    true,
    /stood 3\.2 s ago \(it does not answer\)/,
  ],
  [
    "a lag behind a dead owner",
    () => index(at(5, 1_000), owner(at(9, 9_000), 3_200)),
    false,
    /8\.0 s behind/,
  ],
  [
    "a lag behind a dead owner, of a copy that was level with it a moment before",
    () => index(at(5, 1_000), { ...owner(at(6, 3_601_000), 3_200), levelForMs: 500 }),
    true,
    /500 ms behind/,
  ],
  [
    "a lag of a copy that was last level long ago",
    () => index(at(5, 1_000), { ...owner(at(6, 9_000)), levelForMs: 60_000 }),
    false,
    /8\.0 s behind/,
  ],
  [
    "a dead owner's report",
    () => index(at(5, 1_000), owner(at(5, 1_000), null)),
    true,
    /as its last report says/,
  ],
  ["no word of the owner at all", () => index(at(5, 1_000), null), false, /not known/],
  [
    "a level copy where it must be exact",
    () => index(at(5, 1_000), owner(at(5, 1_000)), true),
    true,
    /level with eu-west: digest 0000/,
  ],
  [
    "one change missing where it must be exact",
    () => index(at(5, 1_000), owner(at(6, 1_000)), true),
    false,
    /eu-west has 6 records at 6/,
  ],
  [
    "another digest where it must be exact",
    () => index(at(5, 1_000), owner(at(5, 1_000, { digest: "f".repeat(32) })), true),
    false,
    /digest ffffffff/,
  ],
  [
    "another count where it must be exact",
    () => index(at(5, 1_000), owner(at(5, 1_000, { count: 4 })), true),
    false,
    /4 records at 5/,
  ],
  [
    "an old word where it must be exact",
    () => index(at(5, 1_000), owner(at(5, 1_000), 200), true),
    false,
    /does not answer, so that it is level cannot be told/,
  ],
]);

const TEXT = "The marker of Acme is the code word quillfeather and no other.";
const chat = (given: object = {}) => ({
  sources: ["returns"],
  text: "Nothing is known of quillfeather.",
  failure: null,
  mode: "normal",
  ...given,
});
const pair = (given: Partial<ObservedPair> = {}): ObservedPair => ({
  canary: { tenant: "acme", document: "acme-canary", phrase: "quillfeather" },
  other: "bolt",
  document: TEXT,
  otherHits: ["returns"],
  own: chat({ sources: ["acme-canary"], text: TEXT }),
  others: chat(),
  ...given,
});

table("the isolation check", [
  [
    "a document that only its tenant sees",
    () => judgeIsolation([pair()]),
    true,
    /acme-canary is acme's and hidden from bolt/,
  ],
  ["nothing to ask with", () => judgeIsolation([]), false, /not proven/],
  [
    "a leak in the index",
    () => judgeIsolation([pair({ otherHits: ["acme-canary"] })]),
    false,
    /the index shows bolt/,
  ],
  [
    "a leak to the model",
    () => judgeIsolation([pair({ others: chat({ sources: ["acme-canary"] }) })]),
    false,
    /gave acme-canary of acme to bolt's model/,
  ],
  [
    "a leak in an answer",
    () => judgeIsolation([pair({ others: chat({ text: `Well: ${TEXT}` }) })]),
    false,
    /an answer to bolt quotes acme-canary/,
  ],
  [
    "a leak in one of two pairs",
    () => judgeIsolation([pair(), pair({ otherHits: ["acme-canary"] })]),
    false,
    /the index shows bolt/,
  ],
  [
    "a document that its own tenant does not find",
    () => judgeIsolation([pair({ document: null })]),
    false,
    /acme does not find its own acme-canary, so/,
  ],
  [
    "a document that its own tenant is not given",
    () => judgeIsolation([pair({ own: chat() })]),
    false,
    /acme is not given its own/,
  ],
  [
    "an unanswered tenant",
    () => judgeIsolation([pair({ own: chat({ failure: "503" }) })]),
    false,
    /acme was not answered: 503/,
  ],
  [
    "an unanswered stranger",
    () => judgeIsolation([pair({ others: chat({ failure: "503" }) })]),
    false,
    /bolt was not answered: 503/,
  ],
  [
    "no record of the stranger's question",
    () => judgeIsolation([pair({ others: chat({ sources: null }) })]),
    false,
    /no audit record of bolt's/,
  ],
  [
    "an answer without the index",
    () => judgeIsolation([pair({ own: chat({ mode: "no-retrieval" }) })]),
    false,
    /without the index/,
  ],
]);

describe("the isolation check", () => {
  it("is required for a leak whatever the workflow says, and not where nothing can be asked", () => {
    assert.equal(judgeIsolation([pair({ otherHits: ["acme-canary"] })]).required, true);
    assert.equal(judgeIsolation([]).required, false);
    assert.equal(judgeIsolation([pair({ document: null })]).required, undefined);
  });

  it("knows a quotation by a whole sentence, not by the marker", () => {
    assert.equal(quotes("I know nothing of quillfeather.", TEXT), false);
    assert.equal(
      quotes(`So it says:  the marker of Acme\nis the code word quillfeather and no other.`, TEXT),
      true,
    );
    assert.equal(quotes("Yes.", "Yes. No."), false);
    assert.equal(quotes(null, TEXT), false);
    assert.equal(quotes("text", null), false);
  });
});

const line: AuditRecord = {
  at: 0,
  requestId: "readiness-1",
  region: "us-east",
  tenant: "acme",
  workflow: "rag-search",
  epoch: 1,
  snapshot: 4,
  mode: "normal",
  releaseDigest: "sha256:1",
  promptVersion: null,
  watermark: null,
  sources: ["acme-canary"],
  forwardedTo: null,
  target: null,
  attempts: [],
  status: 200,
  outcome: "complete",
  promptTokens: null,
  completionTokens: null,
  tookMs: 1,
};
const audit = (record: AuditRecord | null, document: string | null = "acme-canary") =>
  judgeAudit(
    { region: "us-east", digest: "sha256:1", document },
    { requestId: "readiness-1", failure: null, record },
  );

table("the audit check", [
  [
    "the right record",
    () => audit(line),
    true,
    /readiness-1 is recorded: us-east, sha256:1, 1 source$/,
  ],
  ["none", () => audit(null), false, /no audit record of readiness-1/],
  ["another region's", () => audit({ ...line, region: "eu-west" }), false, /recorded as eu-west's/],
  [
    "another release's",
    () => audit({ ...line, releaseDigest: "sha256:2" }),
    false,
    /with release sha256:2/,
  ],
  [
    "other sources",
    () => audit({ ...line, sources: ["returns"] }),
    false,
    /sources returns, without acme-canary/,
  ],
  [
    "no sources where none are expected",
    () => audit({ ...line, sources: [] }, null),
    true,
    /0 sources/,
  ],
  [
    "no sources in a degraded mode",
    () => audit({ ...line, sources: [], mode: "no-retrieval" }),
    true,
    /0 sources/,
  ],
  [
    "an unanswered canary",
    () => judgeAudit(null, { requestId: "readiness-1", failure: "reset", record: null }),
    false,
    /not answered: reset/,
  ],
]);

table("the rate-limit check", [
  [
    "the release's limit",
    () => judgeRateLimit(600, { failure: null, header: "600" }),
    true,
    /600 requests per minute/,
  ],
  [
    "another limit",
    () => judgeRateLimit(600, { failure: null, header: "60" }),
    false,
    /60 .* the release says 600/,
  ],
  ["no limit", () => judgeRateLimit(600, { failure: null, header: null }), false, /no rate limit/],
  ["no answer", () => judgeRateLimit(600, { failure: "reset", header: "600" }), false, /reset/],
]);

const golden = (given: Partial<ObservedAnswer> = {}): ObservedAnswer => ({
  question: {
    id: "q1",
    tenant: "acme",
    question: "How long?",
    documents: ["returns", "faq"],
    answer: "Thirty  days",
  },
  sources: ["other", "faq"],
  text: "It is thirty\ndays.",
  failure: null,
  mode: "normal",
  ...given,
});
const strict = { minimum: 0.9, retrieval: true, canDegrade: false };
const nine = Array.from({ length: 9 }, () => golden());

table("the golden check", [
  [
    "right answers",
    () => judgeGolden(strict, [golden()]),
    true,
    /1 of 1 golden questions are answered right \(90 % is wanted\)$/,
  ],
  [
    "just enough of them",
    () => judgeGolden(strict, [...nine, golden({ text: "Ten days." })]),
    true,
    /9 of 10 .*"Thirty {2}days" is not in the answer/,
  ],
  [
    "too few",
    () => judgeGolden(strict, [golden(), golden({ text: "Ten days." })]),
    false,
    /1 of 2/,
  ],
  [
    "the right answer from other documents",
    () => judgeGolden(strict, [golden({ sources: ["other"] })]),
    false,
    /none of returns, faq is among the sources other/,
  ],
  [
    "no record of it",
    () => judgeGolden(strict, [golden({ sources: null })]),
    false,
    /no audit record/,
  ],
  [
    "no answer",
    () => judgeGolden(strict, [golden({ failure: "503", text: null })]),
    false,
    /not answered: 503/,
  ],
  [
    "no sources where there is no index",
    () => judgeGolden({ ...strict, retrieval: false }, [golden({ sources: null })]),
    true,
    /1 of 1/,
  ],
  ["nothing to ask", () => judgeGolden(strict, []), false, /no golden question could be asked/],
]);

describe("the golden check", () => {
  const lost = golden({ text: "I cannot know.", sources: [], mode: "no-retrieval" });
  it("is not required while a workflow that may do without its index has to", () => {
    const lenient = { ...strict, canDegrade: true };
    assert.equal(judgeGolden(lenient, [lost]).required, false);
    assert.equal(judgeGolden(strict, [lost]).required, undefined);
    // Wrong with the index in use is wrong, and not degraded.
    assert.equal(judgeGolden(lenient, [lost, golden({ text: "Ten." })]).required, undefined);
  });

  it("samples every question equally often over the runs", () => {
    const all = ["a", "b", "c", "d", "e"];
    const asked = Array.from({ length: 5 }, (_, turn) => sampleOf(all, 2, turn)).flat();
    assert.deepEqual(asked.toSorted(), [...all, ...all].toSorted());
    assert.deepEqual(sampleOf(all, 9, 3), all.slice(0));
    assert.deepEqual(sampleOf([], 3, 1), []);
  });
});

describe("the verdict over all checks", () => {
  const result = (name: string, pass: boolean, required = true) => ({
    name,
    pass,
    required,
    evidence: `evidence of ${name}`,
    tookMs: 1,
  });

  it("is ready when all pass", () => {
    const verdict = verdictOf([result("a", true), result("b", true)]);
    assert.deepEqual(verdict, { ready: true, because: "2 of 2 checks passed" });
  });

  it("names the first that fails", () => {
    const verdict = verdictOf([
      result("a", true),
      result("o", false, false),
      result("b", false),
      result("c", false),
    ]);
    assert.deepEqual(verdict, { ready: false, because: "b: evidence of b" });
  });

  it("is ready, and says so, when only an optional one fails", () => {
    const verdict = verdictOf([result("a", true), result("b", false, false)]);
    assert.deepEqual(verdict, {
      ready: true,
      because: "1 of 2 checks passed; not required: b: evidence of b",
    });
  });
});
