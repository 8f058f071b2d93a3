import type { Release, ReleasePolicy } from "./release.ts";

/** What a release says of one workflow and one tenant, for gateways and for who checks them. */

export type Limits = Release["policy"];

/** The policies that hold for a workflow. */
export function policiesFor(release: Release, workflow: string): readonly ReleasePolicy[] {
  if (release.policies === undefined) return NONE;
  return Object.values(release.policies).filter(
    ({ workflows }) => workflows === undefined || workflows.includes(workflow),
  );
}

const NONE: readonly ReleasePolicy[] = [];

/** The route of a workflow; undefined when the release has none. */
export function routeFor({ routes = {} }: Release, workflow: string) {
  return Object.hasOwn(routes, workflow) ? routes[workflow] : undefined;
}

/** Name of the prompt that a workflow uses: its route's, else the spec's; null for none. */
export function promptFor(
  release: Release | null,
  workflow: string,
  inSpec: string | null,
): string | null {
  return (release === null ? undefined : routeFor(release, workflow)?.prompt) ?? inSpec;
}

/**
 * What one tenant may ask of one workflow: the release's own limits, or the tenant's where a policy
 * has them, the lowest where several have. A route caps its answers for every tenant.
 */
export function limitsOf(release: Release, workflow: string, tenant: string): Limits {
  const { requestsPerMinute, maxOutputTokens } = release.policy;
  const cap = routeFor(release, workflow)?.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  const given = policiesFor(release, workflow).flatMap(({ tenants = {} }) =>
    Object.hasOwn(tenants, tenant) ? (tenants[tenant] ?? []) : [],
  );
  const requests = given.flatMap(({ requestsPerMinute }) => requestsPerMinute ?? []);
  const tokens = given.flatMap(({ maxOutputTokens }) => maxOutputTokens ?? []);
  return {
    requestsPerMinute: lowest(requests) ?? requestsPerMinute,
    maxOutputTokens: Math.min(lowest(tokens) ?? maxOutputTokens, cap),
  };
}

function lowest(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.min(...values);
}
