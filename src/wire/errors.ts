/**
 * Error bodies in OpenAI's shape. Every SDK builds its exception from the status and from
 * `error.type` / `error.code`, so a body of another shape reaches the caller as "unknown error".
 */

export interface ErrorParts {
  readonly message: string;
  readonly type: string;
  /** The request field at fault, such as `messages[0].role`; null when it is none in particular. */
  readonly param?: string | null;
  /** A stable word for programs, such as `model_not_found`; null when there is none. */
  readonly code?: string | null;
}

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** HTTP status -> `error.type`. A status outside the table: see `errorTypeOf`. */
export const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "invalid_request_error",
  405: "invalid_request_error",
  408: "timeout_error",
  409: "conflict_error",
  413: "invalid_request_error",
  415: "invalid_request_error",
  422: "invalid_request_error",
  429: "rate_limit_error",
  500: "api_error",
  502: "api_error",
  503: "api_error",
  504: "timeout_error",
};

/** The type of any status: the table's, else by its hundred. */
export function errorTypeOf(status: number): string {
  return ERROR_TYPES[status] ?? (status >= 500 ? "api_error" : "invalid_request_error");
}

export function errorBody(parts: ErrorParts): ErrorBody {
  const { message, type, param = null, code = null } = parts;
  return { error: { message, type, param, code } };
}

/** The body for a status, its type taken from the table. */
export function errorBodyOf(status: number, parts: Omit<ErrorParts, "type">): ErrorBody {
  return errorBody({ ...parts, type: errorTypeOf(status) });
}
