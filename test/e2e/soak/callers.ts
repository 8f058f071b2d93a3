import { Agent, request } from "undici";
import { messageOf } from "../../../src/lib/errors.ts";
import type { Random } from "../../../src/sim/random.ts";
import { DEADLINE_MS, type Gateway, KEY, MARGIN_MS, WORKFLOWS } from "./gateways.ts";
import { type Asked, judgeStream, judgeWhole, type Verdict } from "./verdict.ts";

/** One request, and what became of it. */
export interface Outcome {
  readonly tookMs: number;
  /** `left`: this caller hung up in the middle, as some do. */
  readonly verdict: Verdict | { readonly kind: "left" };
  readonly asked: Asked;
}

export interface Load {
  /** Sends no more, and resolves when everything that was sent is over. */
  stop(): Promise<void>;
}

/** How many hang up, and how soon at the latest, in ms. */
const LEAVING = { share: 0.06, withinMs: 1_500 } as const;

/** So many requests a second, each when it is due, whatever became of those before. */
export function startLoad(
  gateways: readonly Gateway[],
  random: Random,
  perSecond: number,
  onOutcome: (outcome: Outcome) => void,
): Load {
  const underWay = new Set<Promise<void>>();
  // Of its own: a connection that callers keep open is a descriptor of the gateway's, too.
  const agent = new Agent();
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    const asked = draw(random, sent);
    const leaveMs = random.chance(LEAVING.share) ? random.below(LEAVING.withinMs) : null;
    const one = ask(agent, random.pick(gateways).url, asked, leaveMs)
      .then(onOutcome)
      .finally(() => underWay.delete(one));
    underWay.add(one);
  }, 1_000 / perSecond);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underWay);
      await agent.destroy();
    },
  };
}

function draw(random: Random, number: number): Asked {
  const stream = random.chance(0.6);
  return {
    workflow: random.pick(WORKFLOWS),
    question: `Question ${number}`,
    stream,
    tools: random.chance(0.1),
    choices: random.chance(0.1) ? 2 : 1,
    usage: stream && random.chance(0.3),
  };
}

async function ask(
  agent: Agent,
  gateway: string,
  asked: Asked,
  leaveMs: number | null,
): Promise<Outcome> {
  const from = performance.now();
  const caller = new AbortController();
  const leaving = leaveMs === null ? null : setTimeout(() => caller.abort(LEFT), leaveMs);
  const overdue = setTimeout(() => caller.abort(OVERDUE), DEADLINE_MS + MARGIN_MS);
  const verdict = await send(agent, gateway, asked, caller.signal).catch(
    (error): Outcome["verdict"] =>
      caller.signal.reason === LEFT
        ? { kind: "left" }
        : { kind: "wrong", because: `no answer at all: ${messageOf(error)} ${causeOf(error)}` },
  );
  for (const timer of [leaving, overdue]) if (timer !== null) clearTimeout(timer);
  return { tookMs: performance.now() - from, verdict, asked };
}

const LEFT = new Error("the caller hung up");
const OVERDUE = new Error(`nothing more within ${DEADLINE_MS + MARGIN_MS} ms`);

function causeOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? `(${messageOf(error.cause)})` : "";
}

async function send(
  dispatcher: Agent,
  gateway: string,
  asked: Asked,
  signal: AbortSignal,
): Promise<Verdict> {
  const { statusCode, headers, body } = await request(`${gateway}/v1/chat/completions`, {
    dispatcher,
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify(bodyOf(asked)),
    signal,
  });
  if (!String(headers["content-type"]).startsWith("text/event-stream")) {
    return judgeWhole(asked, statusCode, await body.text());
  }
  const { text, broken } = await readAll(body, signal);
  return judgeStream(asked, text, broken);
}

function bodyOf({ workflow, question, stream, tools, choices, usage }: Asked): object {
  return {
    model: workflow,
    messages: [{ role: "user", content: question }],
    ...(stream ? { stream } : {}),
    ...(tools ? { tools: TOOLS } : {}),
    ...(choices === 1 ? {} : { n: choices }),
    ...(usage ? { stream_options: { include_usage: true } } : {}),
  };
}

const TOOLS = [{ type: "function", function: { name: "look_up", parameters: { type: "object" } } }];

interface Read {
  readonly text: string;
  /** The transfer ended without its proper end. */
  readonly broken: boolean;
}

async function readAll(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Read> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const piece of body) text += decoder.decode(piece, { stream: true });
    return { text: text + decoder.decode(), broken: false };
  } catch (error) {
    if (signal.aborted) throw error;
    return { text, broken: true };
  }
}
