import { timingSafeEqual } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { z } from "zod";
import { messageOf, TideoverError } from "../lib/errors.ts";
import type { DataDir } from "./data-dir.ts";
import type { Estate } from "./estate.ts";
import type { Faults } from "./faults.ts";
import type { IndexFaults } from "./index-faults.ts";
import { isUp } from "./lock.ts";
import type { ProcessView, Supervisor } from "./supervisor.ts";

const addressSchema = z.strictObject({
  url: z.string(),
  token: z.string(),
  /** The spec that runs: with --free-ports it is a copy. */
  spec: z.string(),
});
const damagedSchema = z.object({ records: z.int() });
const faultSchema = z.strictObject({ restoreAfterMs: z.number().positive() });

/** Lets `tideover drill`, in another terminal, break and mend regions of a running local estate. */
export async function serveSupervisor(
  supervisor: Supervisor,
  faults: { readonly regions: Faults; readonly indexes: IndexFaults },
  { data, specPath }: Pick<Estate, "data" | "specPath">,
  token: string,
): Promise<{ close(): void }> {
  const app = new Hono();
  app.use(async (context, next) => {
    const given = Buffer.from(context.req.header("authorization") ?? "");
    const wanted = Buffer.from(`Bearer ${token}`);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
      return context.body(null, 401);
    return next();
  });
  app.get("/processes", (context) => context.json(supervisor.processes()));
  app.post("/regions/:region/kill", async (context) => {
    const { restoreAfterMs } = faultSchema.parse(await context.req.json());
    await faults.regions.killRegion(context.req.param("region"), restoreAfterMs);
    return context.json({ ok: true });
  });
  app.post("/regions/:region/models/kill", async (context) => {
    const { restoreAfterMs } = faultSchema.parse(await context.req.json());
    await faults.regions.killModels(context.req.param("region"), restoreAfterMs);
    return context.json({ ok: true });
  });
  app.post("/regions/:region/restore", async (context) => {
    await faults.regions.restore(context.req.param("region"));
    return context.json({ ok: true });
  });
  app.post("/regions/:region/indexes/:index/damage", async (context) => {
    const { restoreAfterMs } = faultSchema.parse(await context.req.json());
    const { region, index } = context.req.param();
    return context.json({ records: faults.indexes.damage(region, index, restoreAfterMs) });
  });
  app.post("/regions/:region/indexes/:index/mend", (context) => {
    const { region, index } = context.req.param();
    faults.indexes.mend(region, index);
    return context.json({ ok: true });
  });
  app.onError((error, context) => context.json({ error: messageOf(error) }, 500));
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => {
      const address = JSON.stringify({ url: `http://127.0.0.1:${port}`, token, spec: specPath });
      writeFileSync(data.supervisor, address, { mode: 0o600 });
      resolve({
        close: () => {
          rmSync(data.supervisor, { force: true });
          server.close();
        },
      });
    });
    server.once("error", reject);
  });
}

/** The spec of the estate that is up in a data folder; undefined when none is. */
export function runningSpec(data: DataDir): string | undefined {
  if (!isUp(data)) return undefined;
  try {
    return addressSchema.parse(JSON.parse(readFileSync(data.supervisor, "utf8"))).spec;
  } catch {
    return undefined;
  }
}

/** The supervisor of a running estate, asked over loopback. Throws ESTATE_NOT_UP without one. */
export class SupervisorClient {
  readonly #url: string;
  readonly #token: string;

  private constructor(address: z.infer<typeof addressSchema>) {
    this.#url = address.url;
    this.#token = address.token;
  }

  static at(data: DataDir): SupervisorClient {
    try {
      const text = readFileSync(data.supervisor, "utf8");
      return new SupervisorClient(addressSchema.parse(JSON.parse(text)));
    } catch (error) {
      throw new TideoverError(`no estate is up in ${data.root}`, {
        code: "ESTATE_NOT_UP",
        next: "Start it with `tideover up` (or `npm start`) in another terminal.",
        cause: error,
      });
    }
  }

  processes(): Promise<ProcessView[]> {
    return this.#ask("/processes", { method: "GET" }) as Promise<ProcessView[]>;
  }

  async killRegion(region: string, restoreAfterMs: number): Promise<void> {
    const body = JSON.stringify({ restoreAfterMs });
    await this.#ask(`/regions/${region}/kill`, { method: "POST", body });
  }

  async killModels(region: string, restoreAfterMs: number): Promise<void> {
    const body = JSON.stringify({ restoreAfterMs });
    await this.#ask(`/regions/${region}/models/kill`, { method: "POST", body });
  }

  async restore(region: string): Promise<void> {
    await this.#ask(`/regions/${region}/restore`, { method: "POST" });
  }

  /** Falsifies records of a copy behind its back; gives how many. */
  async damageIndex(region: string, index: string, restoreAfterMs: number): Promise<number> {
    const body = JSON.stringify({ restoreAfterMs });
    const path = `/regions/${region}/indexes/${index}/damage`;
    return damagedSchema.parse(await this.#ask(path, { method: "POST", body })).records;
  }

  async mendIndex(region: string, index: string): Promise<void> {
    await this.#ask(`/regions/${region}/indexes/${index}/mend`, { method: "POST" });
  }

  async #ask(path: string, init: RequestInit): Promise<unknown> {
    const headers = { authorization: `Bearer ${this.#token}` };
    const response = await fetch(`${this.#url}${path}`, { ...init, headers }).catch((error) => {
      throw new TideoverError("the estate's supervisor does not answer", {
        code: "ESTATE_NOT_UP",
        next: "It was probably killed. Start the estate again with `tideover up`.",
        cause: error,
      });
    });
    const body = (await response.json().catch(() => ({}))) as { error?: string };
    if (response.ok) return body;
    throw new TideoverError(body.error ?? `the supervisor answered ${response.status}`, {
      code: "DRILL_REFUSED",
    });
  }
}
