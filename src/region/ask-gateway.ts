import { z } from "zod";
import type { TenantName, WorkflowName } from "../model/ids.ts";
import { HEADERS } from "../wire/headers.ts";
import { parseJson } from "./peer.ts";
import { atBase } from "./url.ts";
import type { World } from "./world.ts";

export interface ChatAsk {
  readonly workflow: WorkflowName;
  readonly tenant: TenantName;
  readonly question: string;
  /** true: this region answers itself, whatever the snapshot says of who serves. */
  readonly standby: boolean;
  readonly timeoutMs: number;
}

export interface ChatAnswer {
  /** What the audit log knows the request by. */
  readonly requestId: string;
  /** null when nobody answered. */
  readonly status: number | null;
  readonly headers: Readonly<Record<string, string>>;
  /** The answer's text; null unless it is a complete answer. */
  readonly text: string | null;
  /** Why there is no text. */
  readonly failure: string | null;
  readonly tookMs: number;
}

const chatSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string().nullable() }) })).min(1),
});

/** Asks this region's gateway as a tenant would. Never throws: not answering is an answer. */
export async function askGateway(world: World, ask: ChatAsk): Promise<ChatAnswer> {
  const { probe, token, canaryKeys } = world.options;
  const sentId = world.newId(ask.standby ? "readiness" : "canary");
  const key = canaryKeys.get(ask.tenant);
  if (key === undefined) return unasked(sentId, `there is no canary key for tenant ${ask.tenant}`);
  const answer = await probe.exchange({
    url: atBase(world.gatewayUrl, "/v1/chat/completions"),
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      [HEADERS.requestId]: sentId,
      [ask.standby ? HEADERS.readiness : HEADERS.canary]: token,
    },
    body: { model: ask.workflow, messages: [{ role: "user", content: ask.question }] },
    timeoutMs: ask.timeoutMs,
  });
  if (!answer.answered) return { ...unasked(sentId, answer.reason), tookMs: answer.tookMs };
  const { status, headers, tookMs } = answer;
  // The gateway's own word for the id, in case that it did not take ours.
  const requestId = headers[HEADERS.requestId] ?? sentId;
  const text = status === 200 ? contentOf(answer.body) : null;
  const failure = text === null ? failureOf(status, answer.body) : null;
  return { requestId, status, headers, text, failure, tookMs };
}

function unasked(requestId: string, failure: string): ChatAnswer {
  return { requestId, status: null, headers: {}, text: null, failure, tookMs: 0 };
}

/** Text of a completion; null when the body is none. */
export function contentOf(body: string): string | null {
  const parsed = chatSchema.safeParse(parseJson(body));
  return parsed.data?.choices[0]?.message.content ?? null;
}

const errorSchema = z.object({ error: z.object({ message: z.string() }) });

function failureOf(status: number, body: string): string {
  const message = errorSchema.safeParse(parseJson(body)).data?.error.message;
  return `${status}: ${message ?? (status === 200 ? "no completion in the body" : "no reason given")}`;
}
