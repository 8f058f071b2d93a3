import type { RequestFault } from "./parse-request.ts";

/** Faults of requests in the words that OpenAI's API uses, for the shapes that are translated. */

export function invalid(param: string, message: string, code = "invalid_value"): RequestFault {
  return { ok: false, message: `Invalid '${param}': ${message}.`, param, code };
}

export function missing(param: string): RequestFault {
  const message = `Missing required parameter: '${param}'.`;
  return { ok: false, message, param, code: "missing_required_parameter" };
}

/** A thing of the API that needs what a stateless gateway does not have. */
export function unsupported(param: string, why: string): RequestFault {
  return {
    ok: false,
    message: `Unsupported parameter: '${param}'. ${why}`,
    param,
    code: "unsupported_parameter",
  };
}
