import assert from "node:assert/strict";
import { test } from "node:test";
import { announcementOf } from "./announcement.ts";

const plan = {
  workflow: "rag",
  decision: {
    kind: "failover",
    workflow: "rag",
    domain: "region-outage",
    from: ["eu-west"],
    to: ["us-east"],
    because: "",
    refused: [],
  },
} as const;

test("fills in what it knows and leaves the rest as it is written", () => {
  const told = announcementOf(
    {
      workflow: plan.workflow,
      decision: { ...plan.decision, from: ["eu-west"], to: ["us-east"], refused: [] },
    },
    "{workflow}: {from} -> {to}, mode {mode}, {nobody}",
  );
  assert.equal(told, "rag: eu-west -> us-east, mode normal, {nobody}");
});
