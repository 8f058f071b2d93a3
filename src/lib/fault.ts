import { type ErrorCode, messageOf, type Retry, TideoverError } from "./errors.ts";

/** An error as plain data: cloned to another thread, one would lose its code and its advice. */
export interface Fault {
  /** Null for an error that is none of ours. */
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly retry: Retry;
  readonly next: string | null;
}

export function faultOf(error: unknown): Fault {
  const known = error instanceof TideoverError ? error : null;
  return {
    code: known?.code ?? null,
    message: messageOf(error),
    retry: known?.retry ?? "never",
    next: known?.next ?? null,
  };
}

export function errorOf({ code, message, retry, next }: Fault): Error {
  if (code === null) return new Error(message);
  return new TideoverError(message, { code, retry, ...(next === null ? {} : { next }) });
}
