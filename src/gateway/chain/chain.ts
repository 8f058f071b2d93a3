import { vectors } from "../api/embeddings.ts";
import type { Tools } from "../options.ts";
import { admit } from "./admit.ts";
import { authenticate } from "./authenticate.ts";
import { type Call, compose, type Handler } from "./call.ts";
import { forward } from "./forward.ts";
import { hold } from "./hold.ts";
import { locate } from "./locate.ts";
import { parse } from "./parse.ts";
import { police } from "./police.ts";
import { record } from "./record.ts";
import { render } from "./render.ts";
import { resume } from "./resume.ts";
import { retrieve } from "./retrieve.ts";
import { route } from "./route.ts";
import { sameRelease } from "./same-release.ts";

/**
 * The request path, outermost link first. The order is the design: read it here. Every API of ours
 * runs through this one chain, so that none has a rate limit, a fence or an audit record less:
 * `/v1/responses` and `/v1/completions` are translated to chat and back around it, and embeddings
 * part from chat only where a model is asked.
 */
export function requestChain(tools: Tools): Handler {
  return compose(
    [
      record(tools),
      authenticate(),
      parse(),
      resume(tools),
      hold(tools),
      locate(),
      sameRelease(),
      forward(tools),
      admit(tools),
      police(),
    ],
    byApi({ chat: compose([retrieve(tools), render()], route(tools)), embeddings: vectors(tools) }),
  );
}

function byApi(handlers: Readonly<Record<Call["api"], Handler>>): Handler {
  return (call) => handlers[call.api](call);
}
