/**
 * Loaded before each test file (`--import`). A test that failed may leave something behind that
 * goes on for good, a caller's loop or a server, and the file would then never end: the runner waits
 * for it, and whoever runs the suites learns nothing. Here it ends, red, and says what kept it.
 */
import { isMainThread } from "node:worker_threads";

/** Several times what the slowest file takes on two busy cores. */
const LONGEST_MS = 300_000;

// Threads and child processes of a test may inherit the flag: they end with their test.
if (isMainThread && process.argv[1]?.endsWith(".test.ts")) {
  setTimeout(() => {
    const kept = process.getActiveResourcesInfo().join(", ");
    process.stderr.write(`still running after ${LONGEST_MS / 1_000} s, kept by: ${kept}\n`);
    process.exit(1);
  }, LONGEST_MS).unref();
}
