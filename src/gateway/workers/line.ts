import { errorOf, type Fault, faultOf } from "../../lib/fault.ts";

/** What one end may ask the other, by name. All of it is plain data: it crosses threads. */
export type Questions = Readonly<
  Record<string, { readonly asked: unknown; readonly told: unknown }>
>;

/** How one end answers. What it throws is thrown where it was asked. */
export type Answers<Q extends Questions> = {
  readonly [What in keyof Q]: (
    asked: Q[What]["asked"],
  ) => Promise<Q[What]["told"]> | Q[What]["told"];
};

/** A worker as its parent sees it, or the parent as its worker does. */
export interface Port {
  postMessage(message: unknown): void;
  on(event: "message", listener: (message: Message) => void): unknown;
}

type Message =
  | { readonly kind: "ask"; readonly id: number; readonly what: string; readonly asked: unknown }
  | { readonly kind: "told"; readonly id: number; readonly told: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly fault: Fault };

interface Pending {
  resolve(told: unknown): void;
  reject(error: Error): void;
}

/** Questions and answers between two threads. What is asked first arrives first. */
export class Line<Asks extends Questions, Answered extends Questions> {
  readonly #port: Port;
  readonly #answers: Answers<Answered>;
  readonly #pending = new Map<number, Pending>();
  #asked = 0;
  #ended: Error | null = null;

  constructor(port: Port, answers: Answers<Answered>) {
    this.#port = port;
    this.#answers = answers;
    port.on("message", (message) => this.#hear(message));
  }

  /** Rejects with what the other end threw, or with the reason of `end`. */
  ask<What extends keyof Asks & string>(
    what: What,
    asked: Asks[What]["asked"],
  ): Promise<Asks[What]["told"]> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = ++this.#asked;
    const told = new Promise<Asks[What]["told"]>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    this.#send({ kind: "ask", id, what, asked });
    return told;
  }

  /** The other end is gone: whatever was asked, and is asked from now on, is rejected. */
  end(reason: Error): void {
    this.#ended = reason;
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }

  #hear(message: Message): void {
    if (message.kind === "ask") return void this.#answer(message.id, message.what, message.asked);
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.kind === "told") pending?.resolve(message.told);
    else pending?.reject(errorOf(message.fault));
  }

  async #answer(id: number, what: keyof Answered, asked: Answered[string]["asked"]): Promise<void> {
    try {
      const told = await this.#answers[what](asked);
      this.#send({ kind: "told", id, told });
    } catch (error) {
      this.#send({ kind: "failed", id, fault: faultOf(error) });
    }
  }

  #send(message: Message): void {
    this.#port.postMessage(message);
  }
}
