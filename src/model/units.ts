import { z } from "zod";

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const MS_PER: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const SIZE = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|KB|MB|GB)$/;
const BYTES_PER: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
};

function scaled(pattern: RegExp, scale: Readonly<Record<string, number>>, text: string) {
  const [, amount, unit] = pattern.exec(text) ?? [];
  const factor = unit === undefined ? undefined : scale[unit];
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
}

/** Milliseconds of `250ms`, `10s`, `5m`, `1h`, `1d`; undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  return scaled(DURATION, MS_PER, text);
}

/** Bytes of `512B`, `64KiB`, `10MiB`, `1GB`; undefined when it is none of these. */
export function parseSize(text: string): number | undefined {
  return scaled(SIZE, BYTES_PER, text);
}

/** A duration for people: `850 ms`, `4.2 s`, `3 min 5 s`. */
export function formatDuration(ms: number): string {
  // The unit is chosen by what will be shown: 59.97 s would else read `60.0 s`, or `1 min 60 s`.
  if (Math.round(ms) < 1_000) return `${Math.round(ms)} ms`;
  if (Math.round(ms / 100) < 600) return `${(ms / 1_000).toFixed(1)} s`;
  const whole = Math.round(ms / 1_000);
  const minutes = Math.floor(whole / 60);
  const seconds = whole % 60;
  return seconds === 0 ? `${minutes} min` : `${minutes} min ${seconds} s`;
}

/** A bare number is the common slip: the unit most likely meant is shown with that number. */
function unitAdvice(input: unknown, unit: string, units: string): string {
  const bare = /^-?\d+(?:\.\d+)?$/.test(String(input));
  if (!bare) return `is no number with a unit; write one of ${units}`;
  return String(input).startsWith("-")
    ? `is below zero; write ${String(input).slice(1)}${unit}`
    : `has no unit; write ${String(input)}${unit}, or another of ${units}`;
}

const durationAdvice = (issue: { readonly input?: unknown }): string =>
  unitAdvice(issue.input, "s", "250ms, 10s, 5m, 1h, 1d");
const sizeAdvice = (issue: { readonly input?: unknown }): string =>
  unitAdvice(issue.input, "MiB", "512B, 64KiB, 10MiB, 1GB");

/** Spec text such as `10s`, read into milliseconds. */
export const durationSchema = z
  .string({ error: durationAdvice })
  .regex(DURATION, { error: durationAdvice })
  .meta({ examples: ["10s"] })
  .transform((text) => parseDuration(text) ?? 0);

/** Spec text such as `10MiB`, read into bytes. */
export const sizeSchema = z
  .string({ error: sizeAdvice })
  .regex(SIZE, { error: sizeAdvice })
  .meta({ examples: ["10MiB"] })
  .transform((text) => parseSize(text) ?? 0);
