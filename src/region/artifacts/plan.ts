import type { Descriptor } from "../../model/artifact.ts";

/** What the target has of one blob: all of it, or so many bytes of an interrupted copy. */
export type Held = "whole" | number;

export interface BlobToCopy {
  readonly descriptor: Descriptor;
  /** Bytes that the target has already. */
  readonly from: number;
}

export interface CopyPlan {
  /** The largest first: one that is begun last would be copied alone, with nothing beside it. */
  readonly blobs: readonly BlobToCopy[];
  /** Digests of manifests to put, each after what it names. */
  readonly manifests: readonly string[];
  readonly bytes: {
    readonly total: number;
    /** Of whole blobs. */
    readonly present: number;
    /** Of interrupted copies. */
    readonly cached: number;
    readonly missing: number;
  };
}

export interface PlanInput {
  readonly blobs: readonly Descriptor[];
  readonly manifests: readonly string[];
  /** By digest; what is not named is not there. */
  readonly held: ReadonlyMap<string, Held>;
}

/** What is to be copied. Pure: the target was looked at before. */
export function planCopy({ blobs, manifests, held }: PlanInput): CopyPlan {
  const toCopy = blobs
    .map((descriptor) => ({ descriptor, from: fromOf(descriptor, held.get(descriptor.digest)) }))
    .filter(({ descriptor }) => held.get(descriptor.digest) !== "whole");
  const total = sum(blobs.map(({ size }) => size));
  const asked = sum(toCopy.map(({ descriptor }) => descriptor.size));
  const cached = sum(toCopy.map(({ from }) => from));
  return {
    blobs: toCopy.sort(byWork),
    manifests: manifests.filter((digest) => held.get(digest) !== "whole"),
    bytes: { total, present: total - asked, cached, missing: asked - cached },
  };
}

/** What is kept beyond a blob's end is none of it: then the whole is asked for again. */
function fromOf({ size }: Descriptor, held: Held | undefined): number {
  return typeof held === "number" && held <= size ? held : 0;
}

function byWork(a: BlobToCopy, b: BlobToCopy): number {
  const work = (one: BlobToCopy): number => one.descriptor.size - one.from;
  const { digest } = a.descriptor;
  return work(b) - work(a) || (digest < b.descriptor.digest ? -1 : 1);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
