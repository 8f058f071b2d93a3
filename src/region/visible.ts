import type { TenantName } from "../model/ids.ts";
import type { IndexQuery } from "../ports/index.ts";
import type { World } from "./world.ts";

/**
 * What a tenant may see, as its gateway asks the index. Proofs must ask alike: a document that is
 * shown by a label would otherwise look lost, or hidden, to them alone.
 */
export function visibleTo(
  { options }: World,
  tenant: TenantName,
): Pick<IndexQuery, "audiences"> & { readonly labels: readonly string[] } {
  return { audiences: ["public", tenant], labels: options.spec.tenants[tenant]?.labels ?? [] };
}
