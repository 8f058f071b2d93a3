import { z } from "zod";
import { durationSchema } from "./units.ts";

/** `release:` of a spec, written out: which release an estate begins with, and how one is changed. */
export const releaseSpecSchema = z.strictObject({
  folder: z.string().describe("Folder of the release: release.yaml and prompts/."),
  trust: z
    .array(z.string())
    .default([])
    .describe(
      "Public keys (PEM files) whose releases are served; none, and no `signing`: unsigned ones are, too.",
    ),
  signing: z
    .enum(["embedded"])
    .optional()
    .describe(
      "embedded: releases are signed where the estate runs, by a key pair that it makes in its data folder and trusts beside `trust`. For estates on one machine.",
    ),
  bake: durationSchema
    .prefault("5s")
    .describe("How long a region runs a new release before the next region gets it."),
  pause: durationSchema
    .prefault("1h")
    .describe(
      "How long a bake that proves nothing waits for a person before the activation is taken back.",
    ),
  probation: durationSchema
    .prefault("15m")
    .describe(
      "How long a release is still compared with the one before it after it was found good.",
    ),
});
export type ReleaseSpec = z.infer<typeof releaseSpecSchema>;

/** What holds where only the folder is named. */
export const PLAIN_RELEASE = { trust: [], bake: 5_000, pause: 3_600_000, probation: 900_000 };
