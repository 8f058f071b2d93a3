import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Stop, type StopSignal } from "./stop.ts";

describe("a stop", () => {
  it("tells everyone who listens, once and in order, with its first reason", () => {
    const stop = new Stop();
    const heard: string[] = [];
    stop.addEventListener("abort", () => heard.push("first"));
    stop.addEventListener("abort", () => heard.push("second"));
    stop.abort("the caller left");
    stop.abort("too late");
    assert.deepEqual(heard, ["first", "second"]);
    assert.equal(stop.reason, "the caller left");
    assert.equal(stop.aborted, true);
  });

  it("does not tell those who stopped listening, or who came too late", () => {
    const stop = new Stop();
    const heard: string[] = [];
    const leaver = (): void => void heard.push("leaver");
    stop.addEventListener("abort", leaver);
    stop.removeEventListener("abort", leaver);
    stop.abort(null);
    stop.addEventListener("abort", () => heard.push("late"));
    assert.deepEqual(heard, []);
  });

  it("stops with any of the others, with that one's reason", () => {
    const caller = new Stop();
    const deadline = new Stop();
    const both = Stop.with(caller, deadline);
    assert.equal(both.aborted, false);
    deadline.abort("its deadline was over");
    caller.abort("the caller left");
    assert.equal(both.reason, "its deadline was over");
  });

  it("is stopped from the start when another one is", () => {
    const over = new Stop();
    over.abort("over");
    assert.equal(Stop.with(new Stop(), over).reason, "over");
  });

  it("stands for an AbortSignal, and an AbortSignal for it", () => {
    const controller = new AbortController();
    const signal: StopSignal = controller.signal;
    const stop = Stop.with(signal);
    controller.abort("a person stopped it");
    assert.equal(stop.reason, "a person stopped it");
  });
});
