import { maxAgeFor, PUBLIC_AUDIENCE, vouchedFor } from "../../model/freshness.ts";
import type { Watermarks } from "../../model/index-health.ts";
import type { WorkflowRoute } from "../../model/snapshot.ts";

type Retrieval = NonNullable<WorkflowRoute["retrieval"]>;
type Freshness = NonNullable<Retrieval["freshness"]>;

/**
 * `<index>;age=<whole seconds>` when the documents that this tenant may see are older than promised,
 * `<index>;age=unknown` when the pipeline never vouched for them; null when they are not. What the
 * region's own copy says counts: to a caller it is the same whether the pipeline is late or the copy
 * is behind.
 *
 * `now` is the wall clock, since a watermark is source time.
 */
export function staleness(
  { index, freshness }: Pick<Retrieval, "index"> & { readonly freshness: Freshness },
  {
    watermarks,
    tenant,
    now,
  }: { readonly watermarks: Watermarks; readonly tenant: string; readonly now: number },
): string | null {
  const late = [PUBLIC_AUDIENCE, tenant]
    .map((audience) => ({
      mark: vouchedFor(watermarks, audience),
      maxAge: maxAgeFor(freshness, audience),
    }))
    .filter(({ mark, maxAge }) => mark === 0 || now - mark > maxAge)
    .map(({ mark }) => mark);
  if (late.length === 0) return null;
  const oldest = Math.min(...late);
  return `${index};age=${oldest === 0 ? "unknown" : Math.floor((now - oldest) / 1_000)}`;
}
