import { z } from "zod";
import { durationSchema } from "./units.ts";

/**
 * How patient and how insistent a gateway is, per request and without asking anybody. Every wait is
 * measured against what is normal for the target itself, within the bounds that stand here.
 */
const spanOf = <T extends z.ZodType>(time: T) => z.strictObject({ least: time, most: time });
const number = z.number().nonnegative();

/** When a target is slow, beside its own normal. */
const slowSchema = z.strictObject({ times: number, least: number });
/** `least` in ms. */
export type SlowPolicy = z.infer<typeof slowSchema>;
export const DEFAULT_SLOW: SlowPolicy = { times: 3, least: 500 };

/** As it stands in the snapshot; times in ms. A snapshot of before this part existed means the defaults. */
export const DEFAULT_REFLEX = {
  firstToken: { least: 2_000, most: 30_000 },
  stall: { least: 5_000, most: 30_000 },
  wholeAnswer: { least: 10_000, most: 600_000 },
  patience: 3,
  attempts: 4,
  retryShare: 0.2,
  ejectAtMost: 0.5,
};

export const reflexSchema = z
  .strictObject({
    firstToken: spanOf(number),
    stall: spanOf(number),
    wholeAnswer: spanOf(number),
    patience: number,
    attempts: z.int().positive(),
    retryShare: number,
    ejectAtMost: number,
    /** Absent means the default: gateways of before it was there read no other word. */
    slow: slowSchema.optional(),
  })
  .default(DEFAULT_REFLEX);
export type Reflex = z.infer<typeof reflexSchema>;
/** In ms. */
export type Span = Reflex["firstToken"];

const spanSpec = (least: string, most: string, what: string) =>
  z
    .strictObject({
      least: durationSchema.prefault(least).describe(`${what} is never given up sooner.`),
      most: durationSchema.prefault(most).describe(`${what} is never awaited longer.`),
    })
    .prefault({})
    .describe(`${what}: bounds of the wait that is learnt from each target's own answers.`);

const share = z.number().min(0).max(1);

/** As a person writes it in `tideover.yaml`. */
export const reflexSpecSchema = z.strictObject({
  firstToken: spanSpec("2s", "30s", "A stream's first event"),
  stall: spanSpec("5s", "30s", "The next event of a stream"),
  wholeAnswer: spanSpec("10s", "10m", "An answer that is not streamed"),
  patience: z
    .number()
    .min(1)
    .max(100)
    .default(DEFAULT_REFLEX.patience)
    .describe("A target may take this many times its own 95th percentile."),
  attempts: z
    .int()
    .min(1)
    .max(20)
    .default(DEFAULT_REFLEX.attempts)
    .describe("Tries that may cost a model's work, for one request in one go."),
  retryShare: share
    .default(DEFAULT_REFLEX.retryShare)
    .describe("Most retries of one gateway, as a share of its requests."),
  ejectAtMost: share
    .default(DEFAULT_REFLEX.ejectAtMost)
    .describe("Most targets left alone at once, as a share; above it none is."),
  slow: z
    .strictObject({
      times: z
        .number()
        .min(1.5)
        .max(1_000)
        .default(DEFAULT_SLOW.times)
        .describe("A target is slow when it takes this many times its own normal,"),
      least: durationSchema
        .prefault("500ms")
        .describe("and so much longer at least; between two events of a stream a twentieth of it."),
    })
    .optional()
    .describe("When a target is asked last because it is slow. Default: 3 times, 500ms."),
});
