import { Connection } from "./connection.ts";
import type { Aim } from "./jobs.ts";
import { whole } from "./whole.ts";

/** A closed loop that runs for a moment at a time, on connections that stay open in between. */
export class Slicer {
  readonly #connections: readonly Connection[];
  readonly #request: string;

  private constructor(connections: readonly Connection[], request: string) {
    this.#connections = connections;
    this.#request = request;
  }

  static async open(aim: Aim, count: number): Promise<Slicer> {
    const opening = Array.from({ length: count }, () => Connection.open(aim.port));
    return new Slicer(await Promise.all(opening), whole(aim));
  }

  /** Requests answered, until all that were sent within `forMs` are. Rejects when one fails. */
  slice(forMs: number): Promise<number> {
    const until = performance.now() + forMs;
    let answered = 0;
    let open = this.#connections.length;
    return new Promise((resolve, reject) => {
      const failed = (because: string): void => reject(new Error(`a request failed: ${because}`));
      const ask = (connection: Connection): void =>
        connection.send(this.#request, {
          body: () => undefined,
          end: (status) => {
            if (status !== 200) return failed(`status ${status}`);
            answered += 1;
            if (performance.now() < until) ask(connection);
            else if (--open === 0) resolve(answered);
          },
          failed,
        });
      for (const connection of this.#connections) ask(connection);
    });
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}
