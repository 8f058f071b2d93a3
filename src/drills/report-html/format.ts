/** Said instead of a figure that is not a number: nothing is printed as if it had been measured. */
const UNKNOWN = "not known";

const MINUS = "\u2212";
/** Beyond this a figure is a fault of whoever measured it, and JavaScript would write it as 1e+21. */
const MOST = 1e12;
/** The furthest moments from 1970 that a Date can hold, in ms. */
const MAX_DATE_MS = 8.64e15;

/** What was measured, in seconds: two digits, so that figures stand under each other. */
export function measured(seconds: number): string {
  return isFigure(seconds) ? `${signed(seconds.toFixed(2))} s` : UNKNOWN;
}

/** What was promised, in seconds: as short as it was stated. */
export function stated(seconds: number): string {
  return isFigure(seconds) ? `${signed(String(Number(seconds.toFixed(3))))} s` : UNKNOWN;
}

/** Seconds since the zero of the timeline, with its sign and without its unit. */
export function offset(seconds: number): string {
  if (!isFigure(seconds)) return UNKNOWN;
  const text = seconds.toFixed(2);
  return Number(text) > 0 ? `+${text}` : signed(Number(text) === 0 ? "0.00" : text);
}

/** A whole number, thousands apart. */
export function count(value: number): string {
  if (!isFigure(value)) return UNKNOWN;
  return signed(String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ","));
}

/** `1 check`, `2 checks`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `part` of `whole` in percent, from 0 to 100; 0 when there is no whole. */
export function share(part: number, whole: number): number {
  const percent = whole > 0 ? (part / whole) * 100 : 0;
  return Number.isFinite(percent) ? Math.min(100, Math.max(0, percent)) : 0;
}

/** For a style or a coordinate: a plain decimal; 0 for what is no figure. */
export function decimal(value: number): string {
  return isFigure(value) ? String(Number(value.toFixed(2))) : "0";
}

export function utcDate(ms: number): string {
  const iso = isoOf(ms);
  return iso === null ? UNKNOWN : `${iso.slice(0, -14)} ${iso.slice(-13, -5)} UTC`;
}

/** Time of the day in UTC, to the millisecond. */
export function utcClock(ms: number): string {
  return isoOf(ms)?.slice(-13, -1) ?? UNKNOWN;
}

function isFigure(value: number): boolean {
  return Math.abs(value) < MOST;
}

function isoOf(ms: number): string | null {
  return Math.abs(ms) <= MAX_DATE_MS ? new Date(ms).toISOString() : null;
}

function signed(text: string): string {
  return text.replace(/^-/, MINUS);
}
