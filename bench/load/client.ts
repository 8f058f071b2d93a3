import type { ChildProcess } from "node:child_process";
import { type Bench, firstMessage } from "../support/bench.ts";
import type { ClosedResult, HoldResult, Job, OpenResult, Said, StreamsResult } from "./jobs.ts";

/** The load process, asked from the benchmark. */
export class Load {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(bench: Bench): Promise<Load> {
    const child = bench.startOwn("load/process.ts", [], bench.cores.others);
    await firstMessage<Said>(child);
    return new Load(child);
  }

  closed(job: Omit<Job & { kind: "closed" }, "kind">): Promise<ClosedResult> {
    return this.#ask({ kind: "closed", ...job }) as Promise<ClosedResult>;
  }

  open(job: Omit<Job & { kind: "open" }, "kind">): Promise<OpenResult> {
    return this.#ask({ kind: "open", ...job }) as Promise<OpenResult>;
  }

  streams(job: Omit<Job & { kind: "streams" }, "kind">): Promise<StreamsResult> {
    return this.#ask({ kind: "streams", ...job }) as Promise<StreamsResult>;
  }

  hold(job: Omit<Job & { kind: "hold" }, "kind">, opened: () => void): Promise<HoldResult> {
    return this.#ask({ kind: "hold", ...job }, opened) as Promise<HoldResult>;
  }

  #ask(job: Job, opened: () => void = () => undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error("the load process ended"));
      const hear = (message: unknown): void => {
        const told = message as Said;
        if (told.said === "opened") opened();
        if (told.said !== "result" && told.said !== "failed") return;
        this.#child.off("message", hear);
        this.#child.off("exit", gone);
        if (told.said === "result") resolve(told.result);
        else reject(new Error(told.because));
      };
      this.#child.on("message", hear);
      this.#child.once("exit", gone);
      this.#child.send(job);
    });
  }
}
