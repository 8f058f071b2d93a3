import { messageOf, TideoverError } from "../lib/errors.ts";
import type { Evidence } from "../model/evidence.ts";
import type { Plan, PlanState } from "../model/plan.ts";
import type { IndexRequest, OperatorRequest, ReleaseRequest } from "../model/request.ts";
import type { OfferedRelease } from "../model/snapshot.ts";
import type { ReleaseStatus } from "./release-status.ts";
import type { Runbook } from "./runbook.ts";
import type { EstateStatus } from "./status.ts";

const TIMEOUT_MS = 3_000;

export interface ControlClientOptions {
  readonly estate: string;
  /** `host:port` of every controller, in the order in which they are asked. */
  readonly controllers: readonly string[];
  readonly token: string;
}

/** The control API, asked at whichever controller answers first. */
export class ControlClient {
  readonly #options: ControlClientOptions;

  constructor(options: ControlClientOptions) {
    this.#options = options;
  }

  status(): Promise<EstateStatus> {
    return this.#get("/v1/status");
  }

  runbook(workflow: string): Promise<Runbook> {
    return this.#get(`/v1/runbooks/${encodeURIComponent(workflow)}`);
  }

  plans(): Promise<{ plans: Plan[]; states: PlanState[] }> {
    return this.#get("/v1/plans");
  }

  /** Entries of the record with a seq above `after`, in order. */
  async evidence(after: number): Promise<Evidence[]> {
    const { entries } = await this.#get<{ entries: Evidence[] }>(`/v1/evidence?after=${after}`);
    return entries;
  }

  /** Leaves a request; the leader answers it with a plan or a refusal in the record. */
  move(
    kind: OperatorRequest["kind"],
    workflow: string,
    body: { to: string | null; by: string },
  ): Promise<OperatorRequest> {
    return this.#ask(`/v1/workflows/${encodeURIComponent(workflow)}/${kind}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
  }

  /** Leaves a request for another owner of an index; `to` null: the leader chooses. */
  moveIndex(
    index: string,
    body: { to: string | null; by: string; acceptLoss: boolean },
  ): Promise<IndexRequest> {
    return this.#ask(`/v1/indexes/${encodeURIComponent(index)}/move`, {
      method: "POST",
      body: JSON.stringify(body),
    });
  }

  release(): Promise<ReleaseStatus> {
    return this.#get("/v1/release");
  }

  /** Makes a release known to the estate. Throws RELEASE_INVALID when it is refused. */
  makeKnown(release: OfferedRelease, by: string): Promise<{ digest: string }> {
    const body = JSON.stringify({ ...release, by });
    return this.#ask("/v1/releases", { method: "POST", body });
  }

  /** Leaves a request about the release; `release` null: the last good one. */
  changeRelease(
    kind: ReleaseRequest["kind"],
    body: { release: string | null; by: string; acceptChanges?: boolean },
  ): Promise<ReleaseRequest> {
    return this.#ask(`/v1/release/${kind}`, { method: "POST", body: JSON.stringify(body) });
  }

  #get<Body>(path: string): Promise<Body> {
    return this.#ask(path, {});
  }

  async #ask<Body>(path: string, init: RequestInit): Promise<Body> {
    const headers = { authorization: `Bearer ${this.#options.token}` };
    const failures: string[] = [];
    for (const address of this.#options.controllers) {
      try {
        const signal = AbortSignal.timeout(TIMEOUT_MS);
        return await answerOf<Body>(
          await fetch(`http://${address}${path}`, { ...init, headers, signal }),
        );
      } catch (error) {
        // A refusal is an answer; only silence is a reason to ask the next one.
        if (error instanceof TideoverError) throw error;
        failures.push(`${address}: ${causeOf(error)}`);
      }
    }
    throw notUp(this.#options.estate, failures.join("; ") || "the spec names none");
  }
}

async function answerOf<Body>(response: Response): Promise<Body> {
  const body: unknown = await response.json();
  if (response.ok) return body as Body;
  const { error } = body as { error?: { code: string; message: string; next?: string } };
  const code = codeOf(error?.code);
  throw new TideoverError(error?.message ?? `the controller answered ${response.status}`, {
    code,
    // A store that is busy now answers later: whoever polls must not give up on it.
    retry: code === "STORE_UNAVAILABLE" ? "later" : "never",
    ...(error?.next ? { next: error.next } : {}),
  });
}

const REFUSALS = ["NOT_FOUND", "USAGE", "UNAUTHORIZED", "RELEASE_INVALID"] as const;

function codeOf(code: string | undefined): (typeof REFUSALS)[number] | "STORE_UNAVAILABLE" {
  return REFUSALS.find((one) => one === code) ?? "STORE_UNAVAILABLE";
}

function causeOf(error: unknown): string {
  // fetch hides why it failed one level down ("fetch failed", cause: ECONNREFUSED).
  const { cause } = error as { cause?: unknown };
  return messageOf(cause ?? error);
}

function notUp(estate: string, why: string): TideoverError {
  return new TideoverError(`no controller of estate "${estate}" answers (${why})`, {
    code: "ESTATE_NOT_UP",
    retry: "later",
    next: "Start the estate with `tideover up` (or `npm start`), or name its folder with --data.",
  });
}
