import type { Target } from "../../model/snapshot.ts";
import { HEADERS } from "../../wire/headers.ts";
import type { Call } from "../chain/call.ts";
import type { Tools } from "../options.ts";

export type UpstreamHeaders =
  | { readonly ok: true; readonly headers: Record<string, string> }
  | { readonly ok: false; readonly because: string };

/** The target's own key, never the caller's: that one is a secret between the caller and us. */
export function upstreamHeaders(tools: Tools, call: Call, { keyEnv }: Target): UpstreamHeaders {
  const headers = { "content-type": "application/json", [HEADERS.requestId]: call.id };
  if (keyEnv === null) return { ok: true, headers };
  const key = tools.keys(keyEnv);
  if (key === undefined || key === "")
    return { ok: false, because: `its key ${keyEnv} is not set` };
  return { ok: true, headers: { ...headers, authorization: `Bearer ${key}` } };
}
