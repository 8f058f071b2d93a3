import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Signal, TargetSubject } from "../../model/signal.ts";
import type { Trouble } from "../../model/trouble.ts";
import { readTroubles, sightsOf, targetsSeen } from "./troubles.ts";

const TROUBLE: Trouble = {
  target: "gpu-1",
  region: "eu-west",
  domain: "capacity-loss",
  standing: "out",
  sinceMs: 4_000,
  ejections: 2,
  because: "3 failures in a row (newest: connection refused)",
};
const GPU: TargetSubject = {
  region: "eu-west",
  part: "target",
  target: "gpu-1",
  gateway: "eu-west",
};

describe("a gateway's status page", () => {
  test("says which targets are not well; all else on it is its own business", () => {
    const page = JSON.stringify({ number: 3, targets: [{ name: "x" }], troubles: [TROUBLE] });
    assert.deepEqual(readTroubles(page), [TROUBLE]);
    assert.deepEqual(readTroubles(JSON.stringify({ troubles: [] })), []);
  });

  const OTHERS = [
    "",
    "<html>502</html>",
    "null",
    "{}",
    '{"troubles":{}}',
    '{"troubles":[{"target":"gpu-1"}]}',
  ];
  for (const page of OTHERS) {
    test(`that is ${JSON.stringify(page)} says nothing, which is not that all is well`, () => {
      assert.equal(readTroubles(page), null);
    });
  }

  test("gives one failing sight a target, with the failure domain that it speaks of", () => {
    const { domain, standing, sinceMs, ejections, because } = TROUBLE;
    const trouble = { domain, standing, sinceMs, seenAgoMs: 250, ejections };
    assert.deepEqual(sightsOf("eu-west", [{ ...TROUBLE, seenAgoMs: 250 }], []), [
      { subject: GPU, ok: false, detail: because, trouble },
    ]);
  });

  test("tells of one that was not well that it is again, and never of one that always was", () => {
    assert.deepEqual(sightsOf("eu-west", [], [GPU]), [
      { subject: GPU, ok: true, detail: "in use" },
    ]);
    assert.deepEqual(sightsOf("eu-west", [], []), []);
    const [sight, ...others] = sightsOf("eu-west", [TROUBLE], [GPU]);
    assert.deepEqual([sight?.ok, others], [false, []]);
  });
});

describe("targets as several observers see them", () => {
  const seen = (over: Partial<Signal> = {}): Signal => ({
    observer: "agent:us-east",
    observerRegion: "us-east",
    seq: 1,
    subject: GPU,
    at: 9_000,
    ok: false,
    detail: TROUBLE.because,
    latencyMs: 2,
    trouble: { domain: "capacity-loss", standing: "out", sinceMs: 4_000, ejections: 2 },
    ...over,
  });
  const at = { now: 10_000, freshMs: 3_000 };
  const well = { ok: true, detail: "in use", trouble: undefined };

  test("are as the newest look says, whoever looked, and the time since then is added", () => {
    const signals = [seen({ at: 8_000 }), seen({ observer: "controller:c1", at: 9_500 })];
    assert.deepEqual(targetsSeen(signals, at), [
      { subject: GPU, observer: "controller:c1", trouble: { ...TROUBLE, sinceMs: 4_500 } },
    ]);
  });

  test("failed last as long ago as the look said, and the time since then", () => {
    const trouble = { domain: "capacity-loss", standing: "out", ejections: 2 } as const;
    const told = seen({ trouble: { ...trouble, sinceMs: 4_000, seenAgoMs: 250 } });
    const [one] = targetsSeen([told], at);
    assert.deepEqual([one?.trouble?.sinceMs, one?.trouble?.seenAgoMs], [5_000, 1_250]);
  });

  test("are well again as soon as one look says so that is newer", () => {
    const [one] = targetsSeen([seen({ at: 8_000 }), seen({ at: 9_000, ...well })], at);
    assert.equal(one?.trouble, null);
    const [other] = targetsSeen([seen({ at: 9_500 }), seen({ at: 9_000, ...well })], at);
    assert.equal(other?.trouble?.standing, "out");
  });

  test("are unknown when nobody looked lately: neither out nor well", () => {
    assert.deepEqual(targetsSeen([seen({ at: 6_999 })], at), []);
    assert.equal(targetsSeen([seen({ at: 7_000 })], at).length, 1);
  });

  test("are apart by gateway: what one leaves alone, another may use", () => {
    const subject = { ...GPU, region: "us-east", target: "gateway:us-east" };
    const signals = [seen({ subject }), seen({ subject: { ...subject, gateway: "ap" }, ...well })];
    assert.deepEqual(
      targetsSeen(signals, at).map((one) => [one.subject.gateway, one.trouble?.standing ?? null]),
      [
        ["ap", null],
        ["eu-west", "out"],
      ],
    );
  });

  test("are nothing but targets: a silent gateway is another part", () => {
    const gateway = seen({ subject: { region: "eu-west", part: "gateway" }, trouble: undefined });
    assert.deepEqual(targetsSeen([gateway], at), []);
  });
});
