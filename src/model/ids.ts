/**
 * Names of things. Each is a string with a flavour: a literal is accepted anywhere, but a region's
 * name handed over where a workflow's is wanted does not compile.
 */
type Flavour<Name extends string> = string & { readonly __flavour?: Name };

export type RegionName = Flavour<"region">;
export type WorkflowName = Flavour<"workflow">;
export type TenantName = Flavour<"tenant">;
export type IndexName = Flavour<"index">;
/** Who made an observation: `agent:us-east`, `controller:c1`, `gateway:us-east`. */
export type ObserverId = Flavour<"observer">;
/** `sha256:<hex>` of a release's canonical manifest. */
export type ReleaseDigest = Flavour<"release">;

/** The number of an ownership; a lower one is refused everywhere. Starts at 1. */
export type Epoch = number;
