import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Probe } from "../../ports/probe.ts";
import { SimClock } from "../../sim/clock.ts";
import { simSpec } from "../../sim/estate.ts";
import { createProbing } from "./probing.ts";

const spec = simSpec({ regions: ["eu-west", "us-east"] });
const TROUBLE = {
  ...{ target: "gpu-1", region: "eu-west", domain: "capacity-loss", standing: "out" },
  ...{ sinceMs: 100, ejections: 1, because: "3 failures in a row" },
};

test("a controller looks at each gateway's health and at its word on its targets", async () => {
  const { pages, look } = probing();
  pages.set("eu-west", JSON.stringify({ troubles: [TROUBLE] }));
  assert.deepEqual(await look(), [
    ["agent of eu-west", true, "200 in 1 ms"],
    ["agent of us-east", true, "200 in 1 ms"],
    ["gateway of eu-west", true, "200 in 1 ms"],
    ["gateway of us-east", true, "200 in 1 ms"],
    ["target of eu-west", false, "3 failures in a row"],
  ]);
  pages.set("eu-west", JSON.stringify({ troubles: [] }));
  assert.deepEqual((await look()).at(-1), ["target of eu-west", true, "in use"]);
});

test("a gateway that does not say what its targets do is a gateway that answers", async () => {
  const { pages, look } = probing();
  pages.set("eu-west", "<html>404</html>");
  const seen = await look();
  assert.deepEqual(
    seen.filter(([what]) => what?.toString().startsWith("target")),
    [],
  );
  assert.ok(seen.every(([, ok]) => ok));
});

/** A controller's eyes over gateways that answer all, with these status pages by region. */
function probing() {
  const clock = new SimClock();
  const pages = new Map<string, string>();
  const probe: Probe = {
    exchange: async ({ url }) => {
      const { host, pathname } = new URL(url);
      const [region = ""] =
        Object.entries(spec.regions).find(([, one]) => one.gateway === host) ?? [];
      const body = pathname === "/healthz" ? "{}" : (pages.get(region) ?? "{}");
      return { answered: true, status: 200, headers: {}, body, tookMs: 1 };
    },
  };
  const eyes = createProbing({ id: "c1", spec, probe, clock, horizonMs: 1 });
  return {
    pages,
    /** One round of looking: what was seen of what. */
    look: async () => {
      await clock.advance(spec.detection.interval);
      eyes.tick();
      await setImmediate();
      return eyes
        .signals()
        .map(({ subject, ok, detail }) => [`${subject.part} of ${subject.region}`, ok, detail])
        .sort();
    },
  };
}
