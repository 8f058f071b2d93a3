/**
 * One bounded HTTP exchange, for looking at things. Never throws and never waits longer than
 * `timeoutMs` in all, body included: every way of not answering is an answer.
 */
export interface Probe {
  exchange(request: ProbeRequest): Promise<ProbeResponse | ProbeFailure>;
}

export interface ProbeRequest {
  readonly url: string;
  readonly method?: "GET" | "POST" | "PUT";
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON when given. */
  readonly body?: unknown;
  readonly timeoutMs: number;
}

export interface ProbeResponse {
  readonly answered: true;
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Text of the body, at most 4 MiB (longer is a failure `body too large`). */
  readonly body: string;
  readonly tookMs: number;
}

export interface ProbeFailure {
  readonly answered: false;
  /** In the words of an operator: `connection refused`, `no answer in 1000 ms`, `reset`. */
  readonly reason: string;
  readonly tookMs: number;
}
