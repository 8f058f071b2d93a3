import type { Notice, Notify } from "../ports/notify.ts";

/** Keeps the notices in memory, in the order in which they were first sent. */
export class MemoryNotify implements Notify {
  readonly #notices = new Map<string, Notice>();

  get notices(): readonly Notice[] {
    return [...this.#notices.values()];
  }

  async send(notice: Notice): Promise<void> {
    if (!this.#notices.has(notice.id)) this.#notices.set(notice.id, { ...notice });
  }

  async sent(id: string): Promise<boolean> {
    return this.#notices.has(id);
  }
}
