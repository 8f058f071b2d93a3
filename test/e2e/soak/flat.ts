import { type Collected, median, type Sample, slope } from "./samples.ts";

/** What a gateway held while it was under load, and whether it kept some of it. */
export interface Flatness {
  readonly samples: number;
  /** The median of the first and of the last tenth after the warm-up. */
  readonly firstMiB: number;
  readonly lastMiB: number;
  readonly mostMiB: number;
  /** Of resident memory, after the warm-up, projected to an hour. */
  readonly growthMiBPerHour: number;
  readonly allowed: string;
  /** What lives after each full collection since the warm-up. */
  readonly heap: {
    readonly collections: number;
    readonly firstMiB: number;
    readonly lastMiB: number;
    readonly growthMiBPerHour: number;
  };
  readonly descriptors: { readonly idle: number; readonly most: number; readonly after: number };
  /** Of one core, over the whole load. */
  readonly cpuShare: number;
  /** Why it is not flat; empty when it is. */
  readonly faults: readonly string[];
}

const MIB = 1024 * 1024;
/** This part of the run is no evidence: code is compiled, pools and heaps find their sizes. */
const WARM_UP = 0.25;
/** Of resident memory: with what the allocators keep for later, though nothing lives in it. */
const MOST_MIB_PER_HOUR = 32;
/** Of what lives. A leak of one KiB a request at 20 requests a second is 70 MiB in an hour. */
const MOST_HEAP_MIB_PER_HOUR = 8;
/** A shorter run cannot be projected: one collection more or less would be hundreds of MiB an hour. */
const LEAST_MS = 15 * 60_000;
const LEAST_COLLECTIONS = 8;
/** Bodies without end are read up to 64 MiB each, and two or three may be under way at once. */
const MOST_MIB_SHORT = 192;

export interface Seen {
  readonly samples: readonly Sample[];
  readonly collections: readonly Collected[];
  /** Descriptors before the load, and when it has ended. */
  readonly idle: number;
  readonly after: number;
}

export function judgeFlat({ samples: all, collections, idle, after }: Seen): Flatness {
  const end = all.at(-1)?.atMs ?? 0;
  const samples = all.filter(({ atMs }) => atMs >= end * WARM_UP);
  const resident = grown(samples.map((one) => [one.atMs, one.residentBytes / MIB]));
  const heap = heapOf(collections, end);
  const told = {
    samples: samples.length,
    ...resident,
    mostMiB: Math.max(...all.map((one) => one.residentBytes / MIB)),
    descriptors: { idle, most: Math.max(...all.map((one) => one.descriptors)), after },
    heap,
    cpuShare: cpuOf(all),
  };
  const { allowed, because } = judgeMemory(resident, heap, end);
  const kept = after > idle ? [`${after} descriptors are open after the load, ${idle} before`] : [];
  return { ...told, allowed, faults: [...because, ...kept] };
}

type Point = readonly [atMs: number, mib: number];
type Grown = Pick<Flatness, "firstMiB" | "lastMiB" | "growthMiBPerHour">;

function grown(points: readonly Point[]): Grown {
  const mib = points.map(([, one]) => one);
  const tenth = Math.max(1, Math.floor(mib.length / 10));
  return {
    firstMiB: median(mib.slice(0, tenth)),
    lastMiB: median(mib.slice(-tenth)),
    growthMiBPerHour: slope(points) * 3_600_000,
  };
}

function heapOf(collections: readonly Collected[], end: number): Flatness["heap"] {
  const counted = collections.filter(({ atMs }) => atMs >= end * WARM_UP);
  const points = counted.map((one): Point => [one.atMs, one.heapMiB]);
  return { collections: counted.length, ...grown(points) };
}

function judgeMemory(resident: Grown, heap: Flatness["heap"], ranMs: number) {
  if (ranMs < LEAST_MS) {
    const allowed = `${MOST_MIB_SHORT} MiB in all (too short to be projected to an hour)`;
    const grew = resident.lastMiB - resident.firstMiB;
    return { allowed, because: within("memory", grew, MOST_MIB_SHORT, allowed) };
  }
  const allowed = `${MOST_MIB_PER_HOUR} MiB an hour, ${MOST_HEAP_MIB_PER_HOUR} of what lives`;
  const lives =
    heap.collections < LEAST_COLLECTIONS
      ? [`only ${heap.collections} collections were seen: too few to say what lives`]
      : within("what lives", heap.growthMiBPerHour, MOST_HEAP_MIB_PER_HOUR, allowed);
  const held = within("memory", resident.growthMiBPerHour, MOST_MIB_PER_HOUR, allowed);
  return { allowed, because: [...held, ...lives] };
}

function within(what: string, grew: number, most: number, allowed: string): string[] {
  // NaN is no proof of anything.
  return grew <= most ? [] : [`${what} grows by ${grew.toFixed(1)} MiB; allowed are ${allowed}`];
}

function cpuOf(samples: readonly Sample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return Number.NaN;
  return (last.cpuMs - first.cpuMs) / (last.atMs - first.atMs);
}
