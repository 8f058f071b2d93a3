import { readFileSync } from "node:fs";

/** What a process has used. Only where there is /proc: elsewhere everything is NaN. */
export interface Usage {
  /** User and system time since its start, ms. */
  readonly cpuMs: number;
  readonly residentBytes: number;
}

/** Clock ticks a second: 100 on every Linux that node runs on. */
const TICKS = 100;
const PAGE_BYTES = 4_096;

/** Processor time of all children of this process that have ended, ms; NaN without /proc. */
export function endedChildrenCpuMs(): number {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return ((Number(fields[13]) + Number(fields[14])) * 1_000) / TICKS;
  } catch {
    return Number.NaN;
  }
}

export function usageOf(pid: number | undefined): Usage {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name may hold blanks and brackets, so fields are counted from its last bracket.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { cpuMs: (ticks * 1_000) / TICKS, residentBytes: Number(fields[21]) * PAGE_BYTES };
  } catch {
    return { cpuMs: Number.NaN, residentBytes: Number.NaN };
  }
}
