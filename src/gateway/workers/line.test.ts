import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { TideoverError } from "../../lib/errors.ts";
import { Line } from "./line.ts";

type Asks = {
  readonly double: { readonly asked: number; readonly told: number };
  readonly fail: { readonly asked: "ours" | "another"; readonly told: null };
  readonly wait: { readonly asked: null; readonly told: null };
};

describe("questions between threads", () => {
  let channel: MessageChannel;
  let line: Line<Asks, Record<never, never>>;
  const heard: number[] = [];

  beforeEach(() => {
    channel = new MessageChannel();
    new Line<Record<never, never>, Asks>(channel.port2, {
      double: (asked) => {
        heard.push(asked);
        return asked * 2;
      },
      fail: (asked) => {
        if (asked === "another") throw new RangeError("out of range");
        throw new TideoverError("the port is taken", {
          ...{ code: "PORT_TAKEN", retry: "later", next: "Stop who listens there." },
        });
      },
      wait: () => new Promise(() => undefined),
    });
    line = new Line<Asks, Record<never, never>>(channel.port1, {});
  });
  afterEach(() => channel.port1.close());

  it("are answered each with its own answer, and heard in order", async () => {
    const asked = Array.from({ length: 50 }, (_, n) => n);
    const told = await Promise.all(asked.map((n) => line.ask("double", n)));
    assert.deepEqual([told, heard], [asked.map((n) => n * 2), asked]);
  });

  it("throw where they were asked what was thrown, with its code and its advice", async () => {
    await assert.rejects(line.ask("fail", "ours"), (error: unknown) => {
      assert.ok(error instanceof TideoverError);
      assert.deepEqual(
        [error.code, error.message, error.retry, error.next],
        ["PORT_TAKEN", "the port is taken", "later", "Stop who listens there."],
      );
      return true;
    });
    await assert.rejects(line.ask("fail", "another"), /^Error: out of range$/);
  });

  it("do not wait for one that is gone", async () => {
    const waiting = line.ask("wait", null);
    line.end(new Error("it is gone"));
    await assert.rejects(waiting, /it is gone/);
    await assert.rejects(line.ask("double", 1), /it is gone/);
  });
});
