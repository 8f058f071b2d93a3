import { z } from "zod";

/** In place of a path: a target that is not to be probed. */
export const UNPROBED = "none";

/** As a person writes it in `tideover.yaml`. */
export const probeSchema = z
  .string()
  .regex(/^(none|\/[\x21-\x7e]*)$/, "is no path; write a path such as /health, or none")
  .describe(
    "Path that a gateway may GET when this target is silent for longer than is usual for it; any answer is a sign of life. `none`: never. Default: /v1/models.",
  );
