import type { GoldenSet } from "../model/golden.ts";
import type { TenantName, WorkflowName } from "../model/ids.ts";
import type { CanaryAnswer } from "../ports/agents.ts";
import { HEADERS } from "../wire/headers.ts";
import { askGateway } from "./ask-gateway.ts";
import type { World } from "./world.ts";

/** A question with a known tenant, and the document that answers it where one is known. */
export interface CanaryQuestion {
  readonly tenant: TenantName;
  readonly question: string;
  readonly document: string | null;
}

/** Asks for a document by its marker: the phrase stands in that document alone. */
export function questionFor(phrase: string): string {
  return `What do the documents say about ${phrase}?`;
}

/** The canary of a workflow; null when no tenant's key is at hand. */
export function canaryOf(
  golden: GoldenSet | undefined,
  keys: ReadonlyMap<TenantName, string>,
): CanaryQuestion | null {
  const canary = golden?.canaries.find(({ tenant }) => keys.has(tenant));
  if (canary !== undefined) {
    const { tenant, document, phrase } = canary;
    return { tenant, question: questionFor(phrase), document };
  }
  const [tenant] = keys.keys();
  if (tenant === undefined) return null;
  return {
    tenant,
    question: "Answer in one short sentence: is this service working?",
    document: null,
  };
}

/**
 * One request the ordinary way, as a caller at this region's gateway would send it: it may be
 * answered by another region, and the answer says which. With `standby` this region answers itself.
 */
export async function sendCanary(
  world: World,
  workflow: WorkflowName,
  { timeoutMs, standby }: { readonly timeoutMs: number; readonly standby: boolean },
): Promise<CanaryAnswer> {
  world.workflow(workflow);
  const { golden, canaryKeys } = world.options;
  const canary = canaryOf(golden.get(workflow), canaryKeys);
  if (canary === null) return { ...NOTHING, detail: "there is no canary key for any tenant" };
  const { tenant, question } = canary;
  const asked = { workflow, tenant, question, standby, timeoutMs };
  const { text, failure, headers, requestId, tookMs } = await askGateway(world, asked);
  return {
    ok: text !== null,
    region: headers[HEADERS.region] ?? null,
    releaseDigest: headers[HEADERS.release] ?? null,
    epoch: numberOf(headers[HEADERS.epoch]),
    mode: headers[HEADERS.mode] ?? null,
    detail: failure ?? `${requestId} was answered in ${Math.round(tookMs)} ms`,
  };
}

const NOTHING = { ok: false, region: null, releaseDigest: null, epoch: null, mode: null } as const;

function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}
