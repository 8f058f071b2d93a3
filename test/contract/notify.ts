import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Notice, Notify } from "../../src/ports/notify.ts";

/** One fresh place for notices. */
export interface NotifyWorld {
  /** Another handle, as a controller has that takes over from one that died. */
  open(): Promise<Notify>;
  /** Everything that people were told so far, in order. */
  told(): Promise<readonly Notice[]>;
  end(): Promise<void>;
}

export function noticeOf(id: string, text = "us-east serves search now"): Notice {
  return { id, channel: "status-page", audience: "customers", text, at: 1_767_225_600_000 };
}

/** What every adapter of the notify port gives (see src/ports/notify.ts). */
export function notifyContract(name: string, makeNotify: () => Promise<NotifyWorld>): void {
  describe(`notify contract: ${name}`, () => {
    let world: NotifyWorld;
    let notify: Notify;

    before(async () => {
      world = await makeNotify();
      notify = await world.open();
    });
    after(() => world.end());

    const toldAs = async (id: string) => (await world.told()).filter((notice) => notice.id === id);

    test("a notice is told as it was given", async () => {
      const notice = noticeOf("whole", "Zoë:\n“no-retrieval” \u2028 until noon");
      await notify.send(notice);
      assert.deepEqual(await toldAs("whole"), [notice]);
    });

    test("sent says what was sent, and nothing else", async () => {
      assert.equal(await notify.sent("asked"), false);
      await notify.send(noticeOf("asked", "mentions never-sent"));
      assert.equal(await notify.sent("asked"), true);
      assert.equal(await notify.sent("aske"), false);
      assert.equal(await notify.sent("never-sent"), false);
    });

    test("a second send of one id does nothing, also with another text", async () => {
      await notify.send(noticeOf("again", "first"));
      await notify.send(noticeOf("again", "second"));
      assert.deepEqual(
        (await toldAs("again")).map((notice) => notice.text),
        ["first"],
      );
    });

    test("two sends of one id at once tell once", async () => {
      await Promise.all([1, 2, 3, 4].map(() => notify.send(noticeOf("at-once"))));
      assert.equal((await toldAs("at-once")).length, 1);
    });

    test("who takes over knows what was sent, and does not tell it again", async () => {
      await notify.send(noticeOf("taken-over"));
      const successor = await world.open();
      assert.equal(await successor.sent("taken-over"), true);
      await successor.send(noticeOf("taken-over"));
      await successor.send(noticeOf("by-successor"));
      await notify.send(noticeOf("by-successor"));
      assert.equal((await toldAs("taken-over")).length, 1);
      assert.equal((await toldAs("by-successor")).length, 1);
    });
  });
}
