import { type ErrorCode, TideoverError } from "../../lib/errors.ts";

export function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof TideoverError && error.code === code;
}

/** This controller does not lead any more: whatever it was doing belongs to somebody else now. */
export function leaseLost(because: string): TideoverError {
  return new TideoverError(because, {
    code: "LEASE_LOST",
    retry: "never",
    next: "Nothing: the controller that leads now goes on with it.",
  });
}

/** `later`: the world may change within the step's deadline. `never`: trying again cannot help. */
export function stepFailed(because: string, retry: "later" | "never"): TideoverError {
  return new TideoverError(because, { code: "STEP_FAILED", retry });
}

/** Somebody with a newer ownership was here: this actor is late, and must not act again. */
export function epochStale(because: string): TideoverError {
  return new TideoverError(because, { code: "EPOCH_STALE", retry: "never" });
}
