import { z } from "zod";

/** What a registry's `www-authenticate` asks for. */
export type Challenge =
  | { readonly scheme: "basic" }
  | {
      readonly scheme: "bearer";
      readonly realm: string;
      readonly service: string | undefined;
      readonly scope: string | undefined;
    };

/** Reads a challenge; null for schemes that are not spoken here. */
export function parseChallenge(header: string): Challenge | null {
  if (/^basic\b/i.test(header)) return { scheme: "basic" };
  if (!/^bearer\b/i.test(header)) return null;
  const fields = new Map(
    [...header.matchAll(/([a-z_]+)="([^"]*)"/gi)].map(([, name = "", value = ""]) => [
      name.toLowerCase(),
      value,
    ]),
  );
  const realm = fields.get("realm");
  if (realm === undefined) return null;
  return { scheme: "bearer", realm, service: fields.get("service"), scope: fields.get("scope") };
}

/** `user:password`, or a token (which has no colon). */
export type Credentials =
  | { readonly kind: "basic"; readonly header: string }
  | { readonly kind: "token"; readonly header: string };

export function parseCredentials(secret: string): Credentials {
  if (!secret.includes(":")) return { kind: "token", header: `Bearer ${secret}` };
  return { kind: "basic", header: `Basic ${Buffer.from(secret, "utf8").toString("base64")}` };
}

/** Address at which a token for the scope is asked for. */
export function tokenUrl(challenge: Extract<Challenge, { scheme: "bearer" }>): URL {
  const url = new URL(challenge.realm);
  if (challenge.service !== undefined) url.searchParams.set("service", challenge.service);
  for (const scope of challenge.scope?.split(" ") ?? []) url.searchParams.append("scope", scope);
  return url;
}

/** What a token service answers: Docker's has `token`, OAuth 2's has `access_token`. */
export const tokenAnswerSchema = z
  .object({ token: z.string().optional(), access_token: z.string().optional() })
  .transform(({ token, access_token }) => token ?? access_token ?? null);
