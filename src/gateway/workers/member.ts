import type { Worker } from "node:worker_threads";
import { messageOf } from "../../lib/errors.ts";
import { errorOf } from "../../lib/fault.ts";
import type { MetricJson } from "../together.ts";
import { type Answers, Line } from "./line.ts";
import type { ToMain, ToWorker } from "./questions.ts";

/** One thread, from its start to its end. */
export class Member {
  readonly number: number;
  /** Monotonic ms. */
  readonly startedAt: number;
  readonly line: Line<ToWorker, ToMain>;
  /** Its address, or why it could not start. */
  readonly started: Promise<string>;
  /** How it ended; never rejects. */
  readonly ended: Promise<string>;
  isUp = false;
  /** The number of the snapshot that it acknowledged last. */
  snapshot: number;
  /** Since its last question without an answer in time. */
  isSilent = false;
  metrics: readonly MetricJson[] = [];
  readonly #worker: Worker;
  #isAsked = false;
  #missed = 0;

  constructor(
    worker: Worker,
    born: { readonly number: number; readonly startedAt: number; readonly snapshot: number },
    answers: Omit<Answers<ToMain>, "started">,
  ) {
    this.#worker = worker;
    this.number = born.number;
    this.startedAt = born.startedAt;
    this.snapshot = born.snapshot;
    const started = Promise.withResolvers<string>();
    this.started = started.promise;
    // Nobody looks at the start of one that dies in a gateway that closes.
    this.started.catch(() => undefined);
    this.line = new Line<ToWorker, ToMain>(worker, {
      ...answers,
      started: (told) => {
        this.isUp = told.ok;
        this.isSilent = false;
        if (told.ok) started.resolve(told.url);
        else started.reject(errorOf(told.fault));
        return null;
      },
    });
    this.ended = endOf(worker).then((how) => {
      this.isUp = false;
      const gone = new Error(`the worker ended: ${how}`);
      started.reject(gone);
      this.line.end(gone);
      return how;
    });
  }

  /** Asks for a sign of life; gives how many in a row were not answered before the next was due. */
  pulse(): number {
    if (this.#isAsked) return ++this.#missed;
    this.#missed = 0;
    this.#isAsked = true;
    const answered = (): void => {
      this.#isAsked = false;
    };
    this.line.ask("part", null).then(answered, answered);
    return 0;
  }

  /** At once, whatever it does. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
    await this.ended;
  }
}

function endOf(worker: Worker): Promise<string> {
  let because: string | null = null;
  worker.on("error", (error) => {
    because = messageOf(error);
  });
  return new Promise((resolve) => {
    worker.once("exit", (code) => resolve(because ?? `exit ${code}`));
  });
}
