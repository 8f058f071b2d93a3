// Loaded before anything else into a process whose worker threads a test wants to die: the first
// thread that finds the file named by DIE_ON_ORDER takes it away, and has a bug.
import { unlinkSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

if (!isMainThread) {
  const look = () => {
    try {
      unlinkSync(process.env.DIE_ON_ORDER ?? "");
    } catch {
      return;
    }
    throw new Error("ordered to die");
  };
  setInterval(look, 20).unref();
}
