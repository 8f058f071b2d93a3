import type { Job, Result, Said } from "./jobs.ts";
import { holdStreams, streamsInTurn } from "./streams.ts";
import { closedLoop, openLoop } from "./whole.ts";

/** The load as a process of its own: its work must not delay what it measures. One job at a time. */

function tell(said: Said): void {
  if (process.connected) process.send?.(said);
}

function run(job: Job): Promise<Result> {
  switch (job.kind) {
    case "closed":
      return closedLoop(job);
    case "open":
      return openLoop(job);
    case "streams":
      return streamsInTurn(job);
    case "hold":
      return holdStreams(job, () => tell({ said: "opened" }));
  }
}

process.on("message", (message) => {
  run(message as Job).then(
    (result) => tell({ said: "result", result }),
    (error) => tell({ said: "failed", because: String(error) }),
  );
});
process.once("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
tell({ said: "up" });
