import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What a process holds at one moment. */
export interface Sample {
  /** Since the load began, in ms. */
  readonly atMs: number;
  readonly residentBytes: number;
  readonly descriptors: number;
  /** Of them. */
  readonly sockets: number;
  /** Since the process began. */
  readonly cpuMs: number;
}

const PAGE_BYTES = 4_096;
/** Clock ticks a second: 100 on every Linux that node runs on. */
const TICKS = 100;

/** Throws where there is no /proc, and when the process is gone. */
export function sample(pid: number, atMs: number): Sample {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name may hold blanks and brackets, so fields are counted from its last bracket.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  return {
    atMs,
    residentBytes: Number(fields[21]) * PAGE_BYTES,
    descriptors: links.length,
    sockets: links.filter((link) => link.startsWith("socket:")).length,
    cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS,
  };
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Closed since it was listed.
    return "";
  }
}

/** What lived in the heap when a collection of all of it was over. */
export interface Collected {
  /** Since the process began, in ms. */
  readonly atMs: number;
  readonly heapMiB: number;
}

const COLLECTION = /(\d+) ms: (?:Incremental )?Mark-Compact[^>]*-> ([\d.]+) \(/g;

/** Out of what `--trace-gc` printed. */
export function collections(log: string): readonly Collected[] {
  return [...log.matchAll(COLLECTION)].map(([, at, left]) => ({
    atMs: Number(at),
    heapMiB: Number(left),
  }));
}

/**
 * The slope of the points, by Theil and Sen: the median of the slopes between all pairs of them.
 * Up to 29 % of the points may lie anywhere (a collection, a flood of 64 MiB) without moving it.
 * Needs two points with different x; NaN otherwise.
 */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes: number[] = [];
  for (const [i, [x, y]] of points.entries()) {
    for (const [laterX, laterY] of points.slice(i + 1)) {
      if (laterX !== x) slopes.push((laterY - y) / (laterX - x));
    }
  }
  return median(slopes);
}

export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}
