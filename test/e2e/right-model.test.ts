import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { takeFingerprint } from "../../src/app/fingerprint.ts";
import { writeFingerprint } from "../../src/config/write-fingerprint.ts";
import { startRuntime } from "../../src/runtime/server.ts";
import { eventually, startSample, type TestEstate } from "../support/estate.ts";

/** The release was recorded from a good copy; the standby has the same model in fewer bits. */

const MODEL = "meridian-extract-1";
const DIGEST = "sha256:29bab77a519012806db4d6ea362c1b49ac3d9143b93f953b045293d393cf103e";
const OF_US_EAST = ["regions", "us-east", "components", "runtime", "targets", 0, "reference"];

describe("the right name over quantized weights", () => {
  let up: TestEstate;

  before(async () => {
    const good = await startRuntime({
      ...{ model: MODEL, modelDigest: DIGEST, embeddingModel: "any", embeddingSalt: "1" },
    });
    const asked = { urls: [good.url], model: MODEL, key: undefined, repeat: 2 };
    const taken = await takeFingerprint(asked).finally(() => good.close());
    up = await startSample([[[...OF_US_EAST, "quantization"], "int4"]], (folder) => {
      writeFingerprint(join(folder, "release"), taken);
      // A server that does not say how its weights are stored: only its behaviour can tell.
      const file = join(folder, "release", "release.yaml");
      writeFileSync(file, readFileSync(file, "utf8").replace(/^ {2}precision:.*\n/m, ""));
    });
  });
  after(async () => {
    await up?.stop();
  });

  it("is not ready, and says why, although its words are right", async () => {
    let because = "";
    await eventually("us-east to be found unready for its model", async () => {
      const { workflows } = await up.control.status();
      const standby = workflows[0]?.standbys.find(({ region }) => region === "us-east");
      because = standby?.because ?? "";
      // A proof that began before the runtime did only says that nobody answered.
      return standby?.ready === false && /^model: (?!no runtime target answers)/.test(because);
    });
    assert.match(because, /not stored as it was: its log-probabilities differ by 0\.\d+, 0\.02 is/);
  });

  it("while the region with the recorded copy goes on serving", async () => {
    const { workflows } = await up.control.status();
    assert.ok(workflows.every(({ serving }) => serving.join() === "eu-west"));
  });
});
