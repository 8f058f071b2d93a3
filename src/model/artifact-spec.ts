import { z } from "zod";

/** Where each region copies releases, models and images from, ahead of need. */
export const artifactsSpecSchema = z.strictObject({
  from: z
    .string()
    .regex(
      /^(https?:\/\/[^/]|\/)/,
      "is no place for artifacts; write https://host/team/app, or the absolute path of a folder",
    )
    .describe(
      "Where releases, models and images are copied from, ahead of need: https://host/team/app, or a folder in OCI's image layout.",
    )
    .meta({ examples: ["https://registry.example/meridian/releases"] }),
  authEnv: z
    .string()
    .regex(
      /^[A-Z_][A-Z0-9_]*$/,
      "is no environment variable; write its name, such as REGISTRY_AUTH",
    )
    .optional()
    .describe("Environment variable that holds `user:password` or a token for it.")
    .meta({ examples: ["REGISTRY_AUTH"] }),
  caFile: z
    .string()
    .optional()
    .describe("PEM file of the authorities that its certificate may be of."),
  parallel: z
    .int()
    .min(1)
    .max(64)
    .default(3)
    .describe("How many blobs a region copies at one time."),
});
