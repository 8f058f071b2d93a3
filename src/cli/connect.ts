import { existsSync } from "node:fs";
import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { openSqliteStore } from "../adapters/store-sqlite/store.ts";
import { ControlClient } from "../api/client.ts";
import { type Estate, keysOf } from "../app/estate.ts";
import { TideoverError } from "../lib/errors.ts";
import { progress } from "./output.ts";

/** A client for the estate's controllers. Throws ESTATE_NOT_UP when it was never started here. */
export function connect(estate: Estate): ControlClient {
  // Looking must not make anything: without this, `status` in a wrong folder would create keys there.
  if (!existsSync(estate.data.keys)) {
    throw new TideoverError(
      `estate "${estate.spec.estate}" was never started in ${estate.data.root}`,
      {
        code: "ESTATE_NOT_UP",
        next: "Start it with `tideover up` (or `npm start`), or name its folder with --data.",
      },
    );
  }
  const { estate: name, controllers } = estate.spec;
  return new ControlClient({ estate: name, controllers, token: keysOf(estate).token });
}

/** From a controller, or with all of them dead from the store itself: at 3 a.m. both must work. */
export async function askOrRead<T>(
  estate: Estate,
  ask: (control: ControlClient) => Promise<T>,
  read: (store: ReturnType<typeof openSqliteStore>) => Promise<T>,
): Promise<T> {
  try {
    return await ask(connect(estate));
  } catch (error) {
    const down = error instanceof TideoverError && error.code === "ESTATE_NOT_UP";
    if (!down || !existsSync(estate.data.store)) throw error;
    progress(`tideover: ${error.message}; this is what the store held last:`);
    const store = openSqliteStore({ path: estate.data.store, clock: createSystemClock() });
    try {
      return await read(store);
    } finally {
      await store.close();
    }
  }
}

/** Of a store that is read late, nothing is known of how old its reports are. */
export const AGE_UNKNOWN = (): number => Number.POSITIVE_INFINITY;
