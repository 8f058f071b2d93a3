import assert from "node:assert/strict";
import { z } from "zod";

/** What every drill's `--json` promises to scripts; each promises more. */
export const drilledSchema = z.object({
  rtaSeconds: z.number(),
  rtoSeconds: z.number(),
  requests: z.object({ sent: z.number(), succeeded: z.number() }),
  checks: z.array(z.object({ name: z.string(), pass: z.boolean(), evidence: z.string() })),
  verdict: z.string(),
});

/** The checks that hold a clock to an objective. */
const CLOCKS = [
  "recovery time within RTO",
  "rolled back within RTO",
  "lost data within RPO",
  "nobody waited longer than the RTO",
];

/**
 * How much longer than its objective a drill may take here. The suites run beside each other, on
 * machines that stand still for seconds now and then: held to the objective, as a person's drill is,
 * they would judge the machine. Without any bound a recovery could become slow unseen.
 */
export const LEEWAY = 2;

/** Every check of a drill holds, but for a clock that stays within the leeway; and it says so. */
export function assertRecovered(
  { rtaSeconds, rtoSeconds, checks, verdict }: z.infer<typeof drilledSchema>,
  code: number | null,
): void {
  const failed = checks.filter(({ pass }) => !pass);
  assert.deepEqual(
    failed.filter(({ name }) => !CLOCKS.includes(name)),
    [],
  );
  assert.ok(rtaSeconds > 0 && rtaSeconds <= LEEWAY * rtoSeconds, `RTA ${rtaSeconds} s`);
  assert.deepEqual([verdict, code], failed.length === 0 ? ["pass", 0] : ["fail", 1]);
}
