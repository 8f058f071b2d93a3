import type { Epoch } from "../model/ids.ts";
import type { IndexStanding, Watermarks } from "../model/index-health.ts";
import type { Position } from "../model/position.ts";
import type { Connection } from "./connection.ts";

export interface Meta {
  readonly position: Position;
  /** Highest epoch seen. */
  readonly epoch: Epoch;
  readonly base: Base;
  readonly standing: IndexStanding;
  /** Counts the restores: their tables' indexes are named by it. */
  readonly generation: number;
}

/** Where the log begins, and what the position was there. */
export interface Base {
  readonly seq: number;
  readonly digest: string;
  readonly sourceTime: number;
}

export function readMeta({ sql }: Connection): Meta {
  const row = sql("SELECT * FROM meta").get() ?? {};
  return {
    epoch: Number(row.epoch),
    position: {
      seq: Number(row.seq),
      digest: String(row.digest),
      sourceTime: Number(row.source_time),
      count: Number(row.count),
    },
    base: {
      seq: Number(row.base),
      digest: String(row.base_digest),
      sourceTime: Number(row.base_source_time),
    },
    standing: standingOf(row.quarantine, row.loaded, row.total),
    generation: Number(row.generation),
  };
}

/** A quarantine outlasts a restore: only whoever proved the new contents lifts it. */
function standingOf(quarantine: unknown, loaded: unknown, total: unknown): IndexStanding {
  if (typeof quarantine === "string") return { kind: "quarantined", because: quarantine };
  if (loaded === null) return { kind: "whole" };
  return { kind: "partial", loaded: Number(loaded), total: Number(total) };
}

export function writePosition(
  { sql }: Connection,
  { epoch, position }: Pick<Meta, "epoch" | "position">,
): void {
  sql("UPDATE meta SET epoch = ?, seq = ?, digest = ?, source_time = ?, count = ?").run(
    epoch,
    position.seq,
    position.digest,
    position.sourceTime,
    position.count,
  );
}

export function writeBase({ sql }: Connection, { seq, digest, sourceTime }: Base): void {
  sql("UPDATE meta SET base = ?, base_digest = ?, base_source_time = ?").run(
    seq,
    digest,
    sourceTime,
  );
}

export function readWatermarks({ sql }: Connection): Watermarks {
  const rows = sql("SELECT audience, source_time FROM watermarks").all();
  const times = rows.map((row) => [String(row.audience), Number(row.source_time)] as const);
  return {
    all: times.find(([audience]) => audience === "")?.[1] ?? 0,
    tenants: Object.fromEntries(times.filter(([audience]) => audience !== "")),
  };
}

export function writeWatermarks({ sql }: Connection, { all, tenants }: Watermarks): void {
  sql("DELETE FROM watermarks").run();
  const insert = sql("INSERT INTO watermarks VALUES (?, ?)");
  for (const [audience, time] of [["", all] as const, ...Object.entries(tenants)]) {
    insert.run(audience, time);
  }
}

export function writeGeneration({ sql }: Connection, generation: number): void {
  sql("UPDATE meta SET generation = ?").run(generation);
}
