import { readHalfCompletion } from "../../core/stream/dialects.ts";
import { CompletionTeller, completionToChat } from "../../wire/completions.ts";
import { formatSse, SSE_DONE } from "../../wire/sse.ts";
import type { Handler } from "../chain/call.ts";
import { type Teller, translated } from "./translate.ts";

/** POST /v1/completions, by the chat chain: see `wire/completions.ts` for what it cannot carry. */
export function completions(chain: Handler): Handler {
  return translated(chain, {
    read: completionToChat,
    tell: (asked) => toTeller(new CompletionTeller(asked)),
    resume: (value, asked) => {
      const half = readHalfCompletion(value, asked);
      if (half === null) return null;
      const { delivered, told } = half;
      return { delivered, teller: toTeller(new CompletionTeller(asked, told)) };
    },
  });
}

function toTeller(completion: CompletionTeller): Teller {
  return {
    whole: (chat) => completion.whole(chat),
    chunk: (chat) => {
      const told = completion.chunk(chat);
      return told === null ? "" : formatSse(JSON.stringify(told));
    },
    done: () => SSE_DONE,
    failed: (error) => formatSse(JSON.stringify({ error })),
  };
}
