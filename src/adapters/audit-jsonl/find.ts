import { type FileHandle, open } from "node:fs/promises";
import { type AuditRecord, auditRecordSchema } from "../../model/audit.ts";
import { segmentPath } from "./segment.ts";

const CHUNK_BYTES = 64 * 1024;
const NEW_LINE = 0x0a;

/**
 * The newest record of a request among the newest `most` of the log; null when there is none. Reads
 * the files themselves, so that it also finds what another process wrote, and never waits for one.
 */
export async function findNewest(
  path: string,
  keep: number,
  requestId: string,
  most: number,
): Promise<AuditRecord | null> {
  // Most lines are another's, and this looks at them 10 times faster than to parse them would.
  const wanted = JSON.stringify(requestId);
  for await (const line of newestLines(path, keep, most)) {
    const record = line.includes(wanted) ? recordOf(line) : null;
    if (record?.requestId === requestId) return record;
  }
  return null;
}

/** The newest records of the log, the newest first. */
export async function* newestRecords(
  path: string,
  keep: number,
  most: number,
): AsyncGenerator<AuditRecord, void, undefined> {
  for await (const line of newestLines(path, keep, most)) {
    const record = recordOf(line);
    if (record !== null) yield record;
  }
}

async function* newestLines(
  path: string,
  keep: number,
  most: number,
): AsyncGenerator<string, void, undefined> {
  let left = most;
  const seen = new Set<string>();
  for (let n = 0; n <= keep && left > 0; n++) {
    const file = await openIfThere(segmentPath(path, n));
    if (file === null) continue;
    try {
      // The writer may move the files one place back while they are read; then this is the same
      // file again, and to count its records twice would end the search too early.
      const { dev, ino, size } = await file.stat();
      if (seen.has(`${dev}:${ino}`)) continue;
      seen.add(`${dev}:${ino}`);
      for await (const line of linesBackwards(file, size)) {
        if (left-- <= 0) return;
        yield line;
      }
    } finally {
      await file.close();
    }
  }
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, "r");
  } catch (error) {
    // Not yet written, or moved on at this moment: both mean that nothing is here.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** The lines of the first `size` bytes, last one first, without empty ones. */
async function* linesBackwards(file: FileHandle, size: number): AsyncGenerator<string> {
  let carried: Buffer = Buffer.alloc(0);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - CHUNK_BYTES);
    let bytes: Buffer = Buffer.concat([await readExactly(file, start, end - start), carried]);
    // Cut at bytes, not characters: a chunk may begin in the middle of one.
    for (let at = bytes.lastIndexOf(NEW_LINE); at !== -1; at = bytes.lastIndexOf(NEW_LINE)) {
      const line = bytes.subarray(at + 1);
      bytes = bytes.subarray(0, at);
      if (line.length > 0) yield line.toString("utf8");
    }
    carried = bytes;
    end = start;
  }
  if (carried.length > 0) yield carried.toString("utf8");
}

async function readExactly(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, start + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** null for a line that a kill cut short. */
function recordOf(line: string): AuditRecord | null {
  try {
    return auditRecordSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
