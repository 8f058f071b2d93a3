import type { Hono } from "hono";
import { z } from "zod";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { KEYS } from "../model/keys.ts";
import { type KnownRelease, knownReleaseSchema } from "../model/release-intent.ts";
import { type ReleaseRequest, releaseRequestSchema } from "../model/request.ts";
import { carriedReleaseSchema, type OfferedRelease } from "../model/snapshot.ts";
import type { Spec } from "../model/spec.ts";
import type { Clock } from "../ports/clock.ts";
import type { ReleaseVerifier } from "../ports/releases.ts";
import type { Store } from "../ports/store.ts";
import { readReleaseStatus } from "./release-status.ts";

export interface ReleaseRoutesOptions {
  readonly estate: { readonly spec: Spec };
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: () => string;
  /** A release that does not verify here is not made known: no plan shall begin with it. */
  readonly verifyRelease: ReleaseVerifier;
  /** What its trusted signatures claim. */
  readonly claimsOf: (release: OfferedRelease) => Pick<KnownRelease, "number" | "expires">;
}

const offeredSchema = z.strictObject({
  ...carriedReleaseSchema.shape,
  digest: z.string(),
  by: z.string().default("operator"),
});
const wishSchema = releaseRequestSchema
  .pick({ release: true, by: true, acceptChanges: true })
  .partial();

/** What is asked of the release. Behind the token, as the rest of the control API. */
export function addReleaseRoutes(
  app: Hono,
  options: ReleaseRoutesOptions,
  reportAges: (observer: string, seq: number) => number,
): void {
  const { store, estate } = options;
  app.get("/v1/release", async (context) =>
    context.json(await readReleaseStatus(store, estate.spec, reportAges)),
  );
  app.post("/v1/releases", async (context) => {
    const offered = parsed(offeredSchema, await context.req.text());
    return context.json(await makeKnown(options, offered), 201);
  });
  app.post("/v1/release/:kind{activate|rollback|continue}", async (context) => {
    const {
      release = null,
      by = "operator",
      ...rest
    } = parsed(wishSchema, await context.req.text());
    const kind = releaseRequestSchema.shape.kind.parse(context.req.param("kind"));
    return context.json(await leaveRequest(options, { kind, release, by, ...rest }), 202);
  });
}

/** Known before it is activated: a plan must find all that it needs in the store. */
async function makeKnown(
  { store, clock, verifyRelease, claimsOf }: ReleaseRoutesOptions,
  { by, ...offered }: z.infer<typeof offeredSchema>,
): Promise<Pick<KnownRelease, "digest" | "number" | "since" | "by">> {
  const why = await verdictOf(verifyRelease, offered);
  if (why !== null) throw refused(`release ${offered.digest} is refused: ${why}`);
  const key = KEYS.release(offered.digest);
  const known: KnownRelease = { ...offered, ...claimsOf(offered), since: clock.now(), by };
  const before = await store.get(key);
  // Signed again, or with another key, it is the same release with better papers.
  const same = before === null ? null : knownReleaseSchema.parse(before.value);
  const value = same === null ? known : { ...known, since: same.since, by: same.by };
  const compare = [{ key, revision: before?.revision ?? 0 }];
  const written = await store.commit({ compare, operations: [{ put: key, value }] });
  if (!written.ok) throw conflict(`release ${offered.digest}`);
  const { digest, number, since } = value;
  return { digest, number, since, by: value.by };
}

async function verdictOf(verify: ReleaseVerifier, offered: OfferedRelease): Promise<string | null> {
  try {
    return await verify(offered);
  } catch (error) {
    return messageOf(error);
  }
}

async function leaveRequest(
  { store, newId, clock }: ReleaseRoutesOptions,
  wish: Omit<ReleaseRequest, "id" | "at">,
): Promise<ReleaseRequest> {
  const request: ReleaseRequest = { ...wish, id: newId(), at: clock.now() };
  const key = KEYS.releaseRequest(request.id);
  const left = await store.commit({
    compare: [{ key, revision: 0 }],
    operations: [{ put: key, value: request }],
  });
  if (left.ok) return request;
  throw conflict(`request ${request.id}`);
}

function parsed<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> {
  const body = schema.safeParse(text.trim() === "" ? {} : jsonOf(text));
  if (body.success) return body.data;
  throw new TideoverError(z.prettifyError(body.error), { code: "USAGE" });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TideoverError(`the body is no JSON: ${messageOf(error)}`, { code: "USAGE" });
  }
}

function refused(message: string): TideoverError {
  return new TideoverError(message, {
    code: "RELEASE_INVALID",
    next: "Build and sign it again: `tideover release build`, `tideover release sign`.",
  });
}

function conflict(what: string): TideoverError {
  return new TideoverError(`another write of ${what} came first`, {
    code: "STORE_CONFLICT",
    retry: "now",
    next: "Ask again.",
  });
}
