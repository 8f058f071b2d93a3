import { paint } from "./output.ts";

/** Whether the time until which something is signed (ISO) is over; null: it has no end. */
export function isExpired(expires: string | null, now: number): expires is string {
  return expires !== null && now >= Date.parse(expires);
}

export function expiryText(expires: string, now: number): string {
  return isExpired(expires, now) ? paint("red", `EXPIRED ${expires}`) : expires;
}

/** What an expired release that runs means, and what to do. */
export function expiredSentence(release: string, expires: string): string {
  return `release ${release} EXPIRED at ${expires}: it is still served, and no gateway that restarts will serve it. Sign it again, and activate it again from where it was signed.`;
}
