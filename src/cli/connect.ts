import { existsSync } from "node:fs";
import { ControlClient } from "../api/client.ts";
import { type Estate, keysOf } from "../app/estate.ts";
import { TideoverError } from "../lib/errors.ts";

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
