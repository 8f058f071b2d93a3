import type { TenantName } from "../../model/ids.ts";
import { HEADERS } from "../../wire/headers.ts";
import { askGateway } from "../ask-gateway.ts";
import type { CheckContext } from "./check.ts";

/** What this region's own gateway answered, and what its audit log says of that answer. */
export interface Observed {
  /** Documents put before the model; null when there is no audit record of it. */
  readonly sources: readonly string[] | null;
  readonly text: string | null;
  /** Why there is no answer; null when there is one. */
  readonly failure: string | null;
  readonly mode: string | null;
  /** Digest of the release that answered, by the answer's own word. */
  readonly release?: string | null;
}

/** Asks this region itself, as a tenant, even while it stands by. Never throws for a bad answer. */
export async function observeAnswer(
  { world, workflow, askMs }: Pick<CheckContext, "world" | "workflow" | "askMs">,
  tenant: TenantName,
  question: string,
): Promise<Observed> {
  const asked = { workflow, tenant, question, standby: true, timeoutMs: askMs };
  const { text, failure, headers, requestId } = await askGateway(world, asked);
  const record = failure === null ? await world.options.audit.find(requestId) : null;
  return {
    sources: record?.sources ?? null,
    text,
    failure,
    mode: headers[HEADERS.mode] ?? null,
    release: headers[HEADERS.release] ?? null,
  };
}
