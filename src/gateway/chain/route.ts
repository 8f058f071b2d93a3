import type { Target } from "../../model/snapshot.ts";
import type { Tools } from "../options.ts";
import { type Exchanged, exchange } from "../targets/exchange.ts";
import { judgeChat, type Verdict } from "../targets/judge.ts";
import { probeOfTarget } from "../targets/probe.ts";
import { upstreamHeaders } from "../targets/target.ts";
import { type Asking, type Judged, type Party, takeTurns } from "../targets/turns.ts";
import { type Answer, type Attempt, type Call, type Handler, located } from "./call.ts";
import { continued, othersFirst } from "./continued.ts";
import { own } from "./own.ts";

/** The last of the chain: asks this region's targets, in turn, until one answers. */
export function route(tools: Tools): Handler {
  return (call) => {
    const { longContext } = located(call).route;
    const targets = own(call.snapshot.regions, tools.region)?.targets ?? [];
    const larger = targets.filter(({ name }) => name === longContext);
    if (larger.length === 0) return askTargets(tools, call, targets, []);
    const usual = targets.filter(({ name }) => name !== longContext);
    return askLargerLast(tools, call, usual, larger);
  };
}

async function askLargerLast(
  tools: Tools,
  call: Call,
  usual: readonly Target[],
  larger: readonly Target[],
): Promise<Answer> {
  const answer = await askTargets(tools, call, usual, []);
  // No target of the same model is asked again: it would say the same, at the same price.
  if (!isTooLong(answer)) return answer;
  const attempts = answer.facts.attempts ?? [];
  const longer = await askTargets(tools, call, larger, attempts);
  if (longer.kind !== "unanswered") return longer;
  return { ...answer, facts: { ...answer.facts, attempts: longer.facts.attempts ?? attempts } };
}

function askTargets(
  tools: Tools,
  call: Call,
  targets: readonly Target[],
  before: readonly Attempt[],
): Promise<Answer> | Answer {
  const { request, route: workflow } = located(call);
  return takeTurns(tools, call, {
    parties: othersFirst(call, targets, ({ name }) => name).map((target) =>
      partyOf(tools, call, target),
    ),
    streamed: request.stream === true,
    before,
    // A gateway that forwarded this has others to go to as well as we have.
    othersBeyond: !call.readiness && workflow.serving.some((region) => region !== tools.region),
    deadlineAt: call.arrivedAt + workflow.deadlineMs,
    hedge: workflow.hedge,
  });
}

function partyOf(tools: Tools, call: Call, target: Target): Party {
  return {
    name: target.name,
    region: tools.region,
    ask: (asking) => continued(call, target, (sent) => send(tools, sent, target, asking)),
    judge: (exchanged) => judge(tools, call, target, exchanged),
    probe: probeOfTarget(tools, target),
  };
}

function send(
  tools: Tools,
  call: Call,
  target: Target,
  asking: Asking,
): Promise<Exchanged> | Exchanged {
  const place = tools.pools.place(target.url, "/v1/chat/completions");
  if (place === null) return misconfigured(`${target.url} is not a URL`);
  const headers = upstreamHeaders(tools, call, target);
  if (!headers.ok) return misconfigured(headers.because);
  return exchange(tools.pools, tools.clock, {
    ...asking,
    place,
    headers: headers.headers,
    body: JSON.stringify({ ...located(call).request, model: target.model }),
  });
}

function misconfigured(because: string): Exchanged {
  return { kind: "failed", fault: "denied", because, reached: false };
}

function judge(tools: Tools, call: Call, target: Target, exchanged: Exchanged): Judged {
  const streamed = located(call).request.stream === true;
  const verdict = judgeChat(exchanged, streamed, tools.clock.now());
  if (verdict.kind === "failed") return verdict;
  const facts = { target: target.name };
  if (verdict.kind === "refused") {
    const { status, body, why } = verdict;
    const outcome = `refused with ${status}${why === "request" ? "" : ` (${why})`}`;
    const answer: Answer = { kind: "whole", status, headers: JSON_HEADERS, body, facts };
    return { kind: "answer", answer, outcome, refused: why };
  }
  const answer = toAnswer(verdict, facts);
  return { kind: "answer", answer, outcome: "answered" };
}

const JSON_HEADERS = { "content-type": "application/json" };
const STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
};

function toAnswer(
  { told, body, usage }: Verdict & { kind: "answer" },
  facts: { readonly target: string },
): Answer {
  const { status } = told;
  if (told.kind === "stream") {
    return { kind: "stream", status, headers: STREAM_HEADERS, parts: told.parts, facts };
  }
  return { kind: "whole", status, headers: JSON_HEADERS, body, facts: { ...facts, usage } };
}

function isTooLong({ facts }: Answer): boolean {
  return facts.attempts?.at(-1)?.refused === "context";
}
