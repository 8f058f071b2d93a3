import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import type { Spec } from "../../model/spec.ts";
import { loadSpec } from "../load-spec.ts";
import { adviseOn } from "../spec-rules.ts";

const SAMPLE = join(
  dirname(fileURLToPath(import.meta.url)),
  ...["..", "..", "..", "examples", "estate", "tideover.yaml"],
);

function withRebuild(rebuild: number): Spec {
  const spec = structuredClone(loadSpec(SAMPLE, { files: "ignored" }).spec);
  for (const index of Object.values(spec.indexes)) {
    Object.assign(index, { replication: { strategy: "continuous", rebuild } });
  }
  for (const { retrieval } of Object.values(spec.workflows)) {
    if (retrieval !== undefined) Object.assign(retrieval, { required: true });
  }
  return spec;
}

it("warns of an index that takes longer to come back than a workflow may be away", () => {
  const [first = ""] = adviseOn(withRebuild(3_600_000));
  assert.match(first, /^indexes\.[a-z-]+\.replication\.rebuild says that a lost copy takes 60 min/);
  assert.match(first, /longer than the rto of/);
});

it("says nothing of an index that is back in time, or of which nothing is stated", () => {
  assert.deepEqual(adviseOn(withRebuild(1)), []);
  assert.deepEqual(adviseOn(loadSpec(SAMPLE, { files: "ignored" }).spec), []);
});
