import { responseToChat } from "../../wire/responses-request.ts";
import { ResponseTeller } from "../../wire/responses-stream.ts";
import type { Handler } from "../chain/call.ts";
import { translated } from "./translate.ts";

/** POST /v1/responses, stateless, by the chat chain. */
export function responses(chain: Handler): Handler {
  return translated(chain, {
    read: responseToChat,
    tell: (asked, id) => new ResponseTeller(asked, id),
  });
}
