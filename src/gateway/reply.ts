import { pour, type StreamedAnswer, type WholeAnswer } from "./chain/call.ts";
import type { Inbound } from "./http/inbound.ts";

/**
 * Writes an answer. A whole one is handed to the socket at once; for a stream the promise resolves
 * when all of it is, or when the caller is gone.
 */
export function reply(
  inbound: Inbound,
  answer: WholeAnswer | StreamedAnswer,
): Promise<void> | undefined {
  if (answer.kind === "stream") return replyStream(inbound, answer);
  inbound.whole(answer.status, answer.headers, answer.body);
  return undefined;
}

async function replyStream(inbound: Inbound, answer: StreamedAnswer): Promise<void> {
  // Proxies that buffer would turn the stream into one late block.
  inbound.begin(answer.status, { ...answer.headers, "x-accel-buffering": "no" });
  const last = await pour(answer.parts, inbound);
  if (last === null) return;
  // After a cut, a client that overlooks the error event still sees a broken transfer.
  if (last.end.outcome === "complete") inbound.end(last.text);
  else inbound.cut(last.text);
}
