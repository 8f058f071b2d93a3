import type { Tools } from "../options.ts";
import { admit } from "./admit.ts";
import { authenticate } from "./authenticate.ts";
import { compose, type Handler } from "./call.ts";
import { forward } from "./forward.ts";
import { hold } from "./hold.ts";
import { locate } from "./locate.ts";
import { parse } from "./parse.ts";
import { record } from "./record.ts";
import { render } from "./render.ts";
import { retrieve } from "./retrieve.ts";
import { route } from "./route.ts";

/** The request path, outermost link first. The order is the design: read it here. */
export function chatChain(tools: Tools): Handler {
  return compose(
    [
      record(tools),
      authenticate(),
      parse(),
      hold(tools),
      locate(),
      forward(tools),
      admit(tools),
      retrieve(tools),
      render(),
    ],
    route(tools),
  );
}
