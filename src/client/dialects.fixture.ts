import { RESUME_FIELD, readDelivered } from "../core/stream/delivered.ts";
import { FRESH_RELAY, relay } from "../core/stream/relay.ts";
import { completions } from "../gateway/api/completions.ts";
import { responses } from "../gateway/api/responses.ts";
import type { Answer, Call, Handler } from "../gateway/chain/call.ts";
import { nothingKnown } from "../gateway/chain/known.ts";
import type { ServedSnapshot } from "../gateway/served-release.ts";
import { DEFAULT_REFLEX } from "../model/reflex.ts";
import { isFields } from "../wire/fields.ts";
import { type Got, tellingOf } from "./gateways.fixture.ts";

/** The APIs that a gateway translates, told by its own translation over a chat answer of ours. */
export const DIALECTS = { completions, responses } as const;

/**
 * The SSE text of the rest that a request asks for, or of the whole answer. `events` are the data of
 * the uncut chat answer. Throws with its body when the request is refused.
 */
export async function told(
  dialect: keyof typeof DIALECTS,
  got: Got,
  events: readonly string[],
): Promise<string> {
  const answer = await DIALECTS[dialect](chainOf(got, inOrder(events)))(callOf(got));
  if (answer.kind === "whole") throw new Error(`refused: ${answer.body}`);
  if (answer.kind === "unanswered") throw new Error("unanswered");
  let text = "";
  for await (const part of answer.parts) text += part.text;
  return text;
}

/** As a gateway's chain tells them: calls and ends behind the text. */
function inOrder(events: readonly string[]): string[] {
  let now = FRESH_RELAY;
  return events.flatMap((data) => {
    const step = relay(now, { kind: "event", event: "message", data });
    now = step.relay;
    return step.tell;
  });
}

function chainOf(got: Got, events: readonly string[]): Handler {
  return async ({ toChat }): Promise<Answer> => {
    const body: unknown = JSON.parse(got.text);
    const read = toChat?.(body);
    if (read === undefined || !read.ok) return refusal(read?.message ?? "no dialect");
    const { [RESUME_FIELD]: value } = read.chat;
    const had = value === undefined ? null : readDelivered(value);
    if (value !== undefined && had === null) return refusal(`no half answer: ${got.text}`);
    const text = tellingOf(events, had);
    return { kind: "stream", status: 200, headers: {}, facts: {}, parts: onePart(text) };
  };
}

async function* onePart(text: string) {
  yield { text, end: { outcome: "complete", because: "", usage: null } } as const;
}

function refusal(body: string): Answer {
  return { kind: "whole", status: 400, headers: {}, body, facts: {} };
}

const SNAPSHOT: ServedSnapshot = {
  ...{ estate: "test", number: 1, issuedAt: 0, because: "", releaseDigest: "" },
  ...{ release: null, maxBodyBytes: 1e6, reflex: DEFAULT_REFLEX },
  ...{ releases: {}, regions: {}, workflows: {}, tenants: {} },
};

function callOf({ headers, text }: Got): Call {
  const body = Buffer.from(text);
  const named = JSON.parse(text);
  return {
    id: headers.get("x-request-id") ?? "none",
    api: "chat",
    toChat: null,
    headers: {},
    readBody: async () => ({ kind: "whole", bytes: body }),
    arrivedAt: 0,
    signal: new AbortController().signal,
    snapshot: SNAPSHOT,
    forwardedBy: null,
    readiness: false,
    ticket: { admitted: true },
    known: nothingKnown(SNAPSHOT),
    tenant: null,
    body,
    workflow: isFields(named) ? String(named.model) : null,
    request: null,
    embeddings: null,
    route: null,
    mode: null,
    documents: [],
  };
}
