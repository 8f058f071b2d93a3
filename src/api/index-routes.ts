import type { Hono } from "hono";
import { z } from "zod";
import { TideoverError } from "../lib/errors.ts";
import { KEYS } from "../model/keys.ts";
import { type IndexRequest, indexRequestSchema } from "../model/request.ts";
import type { Spec } from "../model/spec.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { leave, mustKnow } from "./leave.ts";

export interface IndexRoutesOptions {
  readonly estate: { readonly spec: Spec };
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: () => string;
}

const wishSchema = indexRequestSchema.pick({ to: true, by: true, acceptLoss: true }).partial();

/** What is asked of who owns an index. Behind the token, as the rest of the control API. */
export function addIndexRoutes(
  app: Hono,
  options: IndexRoutesOptions,
  parseBody: (text: string) => unknown,
): void {
  app.post("/v1/indexes/:index/move", async (context) => {
    const wish = wishSchema.safeParse(parseBody(await context.req.text()));
    if (!wish.success) throw new TideoverError(z.prettifyError(wish.error), { code: "USAGE" });
    const { to = null, by = "operator", acceptLoss = false } = wish.data;
    const index = context.req.param("index");
    return context.json(await leaveRequest(options, { index, to, by, acceptLoss }), 202);
  });
}

async function leaveRequest(
  { estate: { spec }, store, newId, clock }: IndexRoutesOptions,
  wish: Omit<IndexRequest, "id" | "at">,
): Promise<IndexRequest> {
  mustKnow("index", wish.index, spec.indexes);
  if (wish.to !== null) mustKnow("region", wish.to, spec.regions);
  return leave(store, KEYS.indexRequest, { ...wish, id: newId(), at: clock.now() });
}
