import {
  addDelivered,
  type Delivered,
  deliveredOf,
  generatedTokens,
  hasText,
  NOTHING_DELIVERED,
} from "../../core/stream/delivered.ts";
import type { TokenCount } from "../../core/stream/frame.ts";
import { type Joint, joined, sumUsage } from "../../core/stream/halves.ts";
import { conclude, FRESH_RELAY, type Relay, relay } from "../../core/stream/relay.ts";
import type { Stop } from "../../lib/stop.ts";
import { errorBody } from "../../wire/errors.ts";
import { formatSse, SseParser } from "../../wire/sse.ts";
import type { LastPart, StreamedAnswer, StreamPart } from "./call.ts";

/** One of the streams that make up an answer. */
export interface Half {
  readonly answer: StreamedAnswer;
  readonly stop: Stop;
  /** What the caller had before it; null for the answer's beginning. */
  readonly had: Delivered | null;
  /** How many of `had.cuts` are of this gateway's own asking: the newest ones. */
  readonly ownCuts: number;
  readonly avoid?: readonly string[];
}

type How = "begin" | "continue" | "regenerate";

export type HalfEnd =
  | { readonly whole: true; readonly how: How; readonly part: LastPart }
  | {
      readonly whole: false;
      readonly how: How;
      readonly because: string;
      /** What the caller has now. */
      readonly had: Delivered;
      /** It told the caller something new. */
      readonly fruitful: boolean;
      /** Why nobody need try to go on; null when somebody may. */
      readonly hopeless: string | null;
      readonly usage: TokenCount | null;
    };

/** Tells the parts of one half, all but the last one, which is handed back. `n`: choices asked for. */
export async function* tellHalf(
  half: Half,
  n: number,
  heard: () => void,
): AsyncGenerator<StreamPart, HalfEnd> {
  const joint = half.had === null ? null : new Joiner(half, half.had);
  for await (const part of half.answer.parts) {
    heard();
    const { end, how } = part;
    if (end === null) {
      const text = joint === null ? part.text : joint.tell(part.text, how);
      if (text !== "") yield { text, end: null };
      continue;
    }
    return endOf({ ...part, end }, joint, n);
  }
  throw new TypeError("a stream of parts ended without a last one");
}

/** How a half ended that was told as it came, by its last part. */
export function firstHalfEnd(part: LastPart, n: number): HalfEnd {
  return endOf(part, null, n);
}

function endOf(part: LastPart, joint: Joiner | null, n: number): HalfEnd {
  const { end, how } = part;
  if (end.outcome !== "complete") return concluded(part, joint, n) ?? cutEnd(part, joint);
  const text = joint === null ? part.text : joint.tell(part.text, how);
  const usage = joint === null ? end.usage : joint.ownUsage(end.usage, how);
  return { whole: true, how: how ?? "begin", part: { text, end: { ...end, usage } } };
}

/** The rest of a stream of which only the `[DONE]` is missing; null when more may be. */
function concluded(part: StreamPart, joint: Joiner | null, n: number): HalfEnd | null {
  const { end, how = "begin" } = part;
  // A regeneration's held events are not yet compared with what the caller has.
  if (end?.cut === undefined || how === "regenerate") return null;
  const rest = conclude(end.cut, n);
  if (rest === null) return null;
  const text = rest.map((data) => formatSse(data)).join("");
  const { usage } = end.cut.state;
  const last: LastPart = {
    text: joint === null ? text : joint.tell(text, how === "begin" ? undefined : how),
    end: { outcome: "complete", because: "only its [DONE] was missing", usage },
  };
  return { whole: true, how, part: last };
}

function cutEnd(part: StreamPart, joint: Joiner | null): HalfEnd {
  const { end, how = "begin" } = part;
  const { because = "", usage = null, cut } = end ?? {};
  const more = cut === undefined ? NOTHING_DELIVERED : deliveredOf(cut);
  const had = joint === null ? more : joint.after(cut, how);
  return {
    whole: false,
    how,
    because,
    had,
    fruitful: joint === null ? true : joint.fruitful,
    hopeless: hopeless(had, cut),
    usage,
  };
}

function hopeless(had: Delivered, cut: Relay | undefined): string | null {
  if (cut === undefined) return "what was made again is not what was told";
  return had.opaque ? "what was told can be neither continued nor compared" : null;
}

/** Tells a later half as the rest of the answer, and remembers what the caller has of it. */
class Joiner {
  readonly #half: Half;
  readonly #had: Delivered;
  readonly #parser = new SseParser();
  #told: Relay = FRESH_RELAY;

  constructor(half: Half, had: Delivered) {
    this.#half = half;
    this.#had = had;
  }

  get fruitful(): boolean {
    return hasText(deliveredOf(this.#told));
  }

  tell(text: string, how: How = "continue"): string {
    const joint: Joint = { delivered: this.#had, sum: (usage) => this.#sum(usage, how) };
    let told = "";
    for (const item of this.#parser.push(Buffer.from(text))) {
      if (item.kind !== "event") continue;
      this.#told = relay(this.#told, item).relay;
      const data = joined(joint, item.data);
      if (data !== null) told += formatSse(data);
    }
    return told;
  }

  /** What the caller has after this half was cut. */
  after(cut: Relay | undefined, how: How): Delivered {
    const told = deliveredOf(this.#told);
    const seen = cut === undefined ? null : deliveredOf(cut);
    const generated = cut === undefined ? told.tokens : generatedTokens(cut.state);
    const more: Delivered = {
      ...told,
      inToolCall: seen?.inToolCall ?? false,
      opaque: seen?.opaque ?? false,
      cuts: [{ read: 0, generated }],
    };
    return addDelivered(this.#had, more, how === "regenerate" ? how : "continue");
  }

  /** For our own books: without the halves that another gateway has in its own. */
  ownUsage(usage: TokenCount | null, how: How = "continue"): TokenCount | null {
    if (usage === null || this.#isForwarded()) return usage;
    const { cuts } = this.#had;
    return sumUsage(cuts.slice(cuts.length - this.#half.ownCuts), usage, this.#read(how));
  }

  #sum(usage: TokenCount, how: How): TokenCount {
    // The gateway that it came from was told of all the halves, and has summed them up.
    return this.#isForwarded() ? usage : sumUsage(this.#had.cuts, usage, this.#read(how));
  }

  #read(how: How): number {
    return how === "continue" ? this.#had.tokens : 0;
  }

  #isForwarded(): boolean {
    return (this.#half.answer.facts.forwardedTo ?? null) !== null;
  }
}

/**
 * How a stream that began and cannot be finished ends: an error event that every OpenAI client
 * throws on, and neither a finish reason nor [DONE], so that no client takes it for finished.
 */
export function cutEvent(where: string, because: string, why: string): string {
  const message = `The answer was cut ${where}: ${because}. Nobody could go on with it: ${why}. What came is not the whole answer; send the request again.`;
  return formatSse(JSON.stringify(errorBody({ message, type: "api_error", code: "stream_cut" })));
}
