import { createHash, timingSafeEqual } from "node:crypto";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { KEYS } from "../model/keys.ts";
import { planSchema, planStateSchema } from "../model/plan.ts";
import type { Release } from "../model/release.ts";
import type { OperatorRequest } from "../model/request.ts";
import type { Spec } from "../model/spec.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { readEvidence } from "./evidence.ts";
import { addIndexRoutes } from "./index-routes.ts";
import { leave, mustKnow } from "./leave.ts";
import { addReleaseRoutes, type ReleaseRoutesOptions } from "./release-routes.ts";
import { reportAgesOf } from "./report-ages.ts";
import { runbookOf } from "./runbook.ts";
import { readAll, readStatus } from "./status.ts";

export interface ApiOptions extends Pick<ReleaseRoutesOptions, "verifyRelease" | "claimsOf"> {
  readonly host: string;
  readonly port: number;
  readonly estate: { spec: Spec; release: { digest: string; body: Release } | null };
  readonly store: Store;
  readonly clock: Clock;
  /** What this controller thinks; only the leader's is the estate's. */
  readonly controller: { status(): unknown };
  readonly token: string;
  readonly newId: () => string;
}

const moveSchema = z.strictObject({
  to: z.string().nullable().default(null),
  by: z.string().default("operator"),
});

/**
 * The control API. It reads the store and leaves requests in it: a request is answered by whichever
 * controller leads, so any controller can be asked, and one that dies takes no request with it.
 */
export function createApi(options: ApiOptions): Hono {
  const { store, estate, clock } = options;
  const app = new Hono();
  const reportAges = reportAgesOf(clock);
  app.get("/healthz", (context) => context.json({ ok: true }));
  app.use("/v1/*", async (context, next) => {
    if (!sameToken(context.req.header("authorization"), options.token)) {
      throw new TideoverError("this needs the estate's token", {
        code: "UNAUTHORIZED",
        next: "Send `Authorization: Bearer <token>`; the token is in keys/estate.json of the data folder.",
      });
    }
    await next();
  });
  app.get("/v1/status", async (context) => {
    const status = await readStatus(store, estate.spec, reportAges);
    return context.json({ ...status, controller: options.controller.status() });
  });
  app.get("/v1/runbooks/:workflow", async (context) =>
    context.json(await runbookOf(store, estate, context.req.param("workflow"), clock.now())),
  );
  app.get("/v1/plans", async (context) =>
    context.json({
      plans: await readAll(store, KEYS.plans, planSchema),
      states: await readAll(store, KEYS.planStates, planStateSchema),
    }),
  );
  app.get("/v1/evidence", async (context) => {
    const after = Number(context.req.query("after") ?? 0);
    return context.json({ entries: await readEvidence(store, Number.isFinite(after) ? after : 0) });
  });
  app.post("/v1/workflows/:workflow/:kind{failover|switchover|failback}", async (context) => {
    const body = moveSchema.safeParse(parseBody(await context.req.text()));
    if (!body.success) throw usage(z.prettifyError(body.error));
    const kind = context.req.param("kind") as OperatorRequest["kind"];
    const request = await leaveRequest(options, {
      ...body.data,
      kind,
      workflow: context.req.param("workflow"),
    });
    return context.json(request, 202);
  });
  addIndexRoutes(app, options, parseBody);
  addReleaseRoutes(app, options, reportAges);
  app.notFound((context) =>
    context.json(
      { error: { code: "NOT_FOUND", message: `no such path: ${context.req.path}` } },
      404,
    ),
  );
  app.onError((error, context) => {
    const known = error instanceof TideoverError ? error : null;
    const status = error instanceof HTTPException ? error.status : statusOf(known);
    const body = {
      code: known?.code ?? "UNEXPECTED",
      message: messageOf(error),
      next: known?.next,
    };
    return context.json({ error: body }, status);
  });
  return app;
}

/** Serves the API. Rejects with PORT_TAKEN when the address is in use. */
export function startApi(options: ApiOptions): Promise<{ url: string; close(): Promise<void> }> {
  const { host, port } = options;
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: createApi(options).fetch, hostname: host, port }, (info) => {
      resolve({ url: `http://${host}:${info.port}`, close: () => closeServer(server) });
    });
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? portTaken(host, port) : error);
    });
  });
}

/** No body means no wishes; a torn one must not be taken for that, and move somewhere else. */
function parseBody(text: string): unknown {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usage(`the body is no JSON: ${messageOf(error)}`);
  }
}

async function leaveRequest(
  { estate: { spec }, store, newId, clock }: ApiOptions,
  wanted: Omit<OperatorRequest, "id" | "at">,
): Promise<OperatorRequest> {
  mustKnow("workflow", wanted.workflow, spec.workflows);
  if (wanted.to !== null) mustKnow("region", wanted.to, spec.regions);
  return leave(store, KEYS.request, { ...wanted, id: newId(), at: clock.now() });
}

function sameToken(header: string | undefined, token: string): boolean {
  // Digests first: timingSafeEqual wants equal lengths, and a length would tell something too.
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(header ?? ""), digest(`Bearer ${token}`));
}

function statusOf(error: TideoverError | null): 400 | 401 | 404 | 503 | 500 {
  if (error?.code === "UNAUTHORIZED") return 401;
  if (error?.code === "NOT_FOUND") return 404;
  if (error?.code === "USAGE" || error?.code === "RELEASE_INVALID") return 400;
  return error?.code === "STORE_UNAVAILABLE" ? 503 : 500;
}

function usage(message: string): TideoverError {
  return new TideoverError(message, { code: "USAGE" });
}

function portTaken(host: string, port: number): TideoverError {
  return new TideoverError(`cannot listen on ${host}:${port}: already in use`, {
    code: "PORT_TAKEN",
    retry: "later",
    next: "Stop what uses it, or give --listen another address.",
  });
}

function closeServer(server: ReturnType<typeof serve>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // Kept-alive connections would hold the process open for as long as their clients like.
    if ("closeAllConnections" in server) server.closeAllConnections();
  });
}
