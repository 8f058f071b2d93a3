import { z } from "zod";

/**
 * How a good copy of the model answers some short questions: `tideover release fingerprint` writes
 * it, and readiness compares every runtime with it (wire/behaviour.ts says how).
 */
export const behaviourSchema = z.strictObject({
  tolerance: z
    .number()
    .positive()
    .max(5)
    .describe("Most that log-probabilities may differ, on average, before it is another model."),
  answers: z
    .array(
      z.strictObject({
        ask: z.string().min(1),
        tokens: z
          .array(
            z.strictObject({
              token: z.string(),
              top: z
                .record(z.string(), z.number().max(0))
                .describe(
                  "Log-probability by token: of the likeliest, and of the one that was said.",
                ),
            }),
          )
          .readonly(),
      }),
    )
    .min(1)
    .readonly(),
});
export type Behaviour = z.infer<typeof behaviourSchema>;
