import { z } from "zod";
import { durationSchema } from "./units.ts";

/** `indexes.NAME.scrub` of the spec. */
export const scrubSpecSchema = z.strictObject({
  everyRecordOnce: durationSchema
    .prefault("1h")
    .describe("Time in which every record is read again and compared with what was written."),
  restoreAbove: z
    .number()
    .min(0)
    .max(1)
    .default(0.2)
    .describe("Share of records above which a copy is restored rather than repaired."),
  recall: z
    .number()
    .min(0)
    .max(1)
    .default(0.95)
    .describe("Share of an exact search's results that the engine's own search must find."),
});
