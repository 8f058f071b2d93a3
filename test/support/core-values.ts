import type { Intent, Ownership } from "../../src/model/intent.ts";
import {
  type DetectionSpec,
  type Spec,
  specSchema,
  type WorkflowSpec,
} from "../../src/model/spec.ts";
import type { Health, Verdict } from "../../src/model/verdict.ts";

/** Values for the tests of the core's rooms. Read through the schema, so that defaults are real. */

const WORKFLOW = {
  pattern: "active-passive",
  primary: "eu-west",
  standbys: ["us-east"],
  rto: "30s",
  rpo: "5s",
  retrieval: { index: "handbook" },
  declare: { by: "automatic", who: "the platform on-call", signals: ["region-outage"] },
  customers: { channel: "status page", message: "{workflow} moved from {from} to {to}." },
};

function region(port: number) {
  return {
    jurisdiction: "EU",
    gateway: `127.0.0.1:${port}`,
    components: {
      runtime: { targets: [{ name: "gpu", url: "http://127.0.0.1:1", model: "m" }] },
    },
  };
}

export function specWith(workflow: object = {}, detection: object = {}): Spec {
  return specSchema.parse({
    tideover: 1,
    estate: "test",
    detection,
    regions: { "eu-west": region(1), "us-east": region(2), "ap-south": region(3) },
    tenants: {},
    indexes: { handbook: { home: "eu-west" } },
    workflows: { support: { ...WORKFLOW, ...workflow } },
  });
}

export function workflowWith(workflow: object = {}): WorkflowSpec {
  const made = specWith(workflow).workflows.support;
  if (made === undefined) throw new Error("the fixture has no workflow");
  return made;
}

/** Interval 500 ms, timeout 1 s, confirm 4 s, 2 witnesses. */
export const DETECTION: DetectionSpec = specWith().detection;

export const INTENT: Intent = {
  workflow: "support",
  epoch: 7,
  serving: ["eu-west"],
  mode: null,
  movingBy: null,
  because: "as begun",
  since: 0,
};

export const OWNERSHIP: Ownership = {
  index: "handbook",
  epoch: 3,
  region: "eu-west",
  frozen: false,
};

export function verdict(name: string, health: Health): Verdict {
  return {
    domain: "region-outage",
    region: name,
    health,
    because: `${name} is ${health} in this test`,
    witnesses: [],
    failingForMs: health === "failed" ? 4_500 : 0,
  };
}
