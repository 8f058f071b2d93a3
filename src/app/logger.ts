import pino, { type Logger } from "pino";
import type { LogLevel } from "../config/env.ts";

/** One JSON line an event on standard error: standard output belongs to results. */
export function createLogger(role: string, level: LogLevel): Logger {
  return pino(
    { base: { role, pid: process.pid }, level },
    pino.destination({ dest: 2, sync: true }),
  );
}
