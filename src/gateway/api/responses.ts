import { readHalfResponse } from "../../core/stream/dialects.ts";
import { responseToChat } from "../../wire/responses-request.ts";
import { ResponseTeller } from "../../wire/responses-stream.ts";
import type { Handler } from "../chain/call.ts";
import { translated } from "./translate.ts";

/** POST /v1/responses, stateless, by the chat chain. */
export function responses(chain: Handler): Handler {
  return translated(chain, {
    read: responseToChat,
    tell: (asked, id) => new ResponseTeller(asked, id),
    // Under the id of the half that was told, which need not be this request's.
    resume: (value, asked) => {
      const half = readHalfResponse(value);
      if (half === null) return null;
      const { delivered, told, id } = half;
      return { delivered, teller: new ResponseTeller(asked, id, told) };
    },
  });
}
