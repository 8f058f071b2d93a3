import { messageOf, TideoverError } from "../../lib/errors.ts";

const NEXT =
  "Check the folder, the disk and this user's rights. If it stays: stop this region's agent, move the index's file and folder away, and start the agent: it fills a new copy from the owner.";

export function unavailable(message: string, next = NEXT, cause?: unknown): TideoverError {
  return new TideoverError(message, { code: "INDEX_UNAVAILABLE", retry: "later", next, cause });
}

/** Any fault of Lance's, in our words. What is ours already, and slips of callers, stay. */
export function explained(folder: string, error: unknown): unknown {
  if (error instanceof TideoverError || error instanceof RangeError) return error;
  if (error instanceof TypeError) return error;
  const text = `Lance folder ${folder} cannot be used: ${said(error)}`;
  return unavailable(text, undefined, error);
}

/** Lance tells every cause in one line, with the places in its own sources. */
function said(error: unknown): string {
  const [first = ""] = messageOf(error).split(/, \/|\n/);
  return first.length > LONGEST ? `${first.slice(0, LONGEST)}…` : first;
}

const LONGEST = 300;
