import { UNPROBED } from "../../model/probe.ts";
import type { Target } from "../../model/snapshot.ts";
import type { Listener } from "../http/connection.ts";
import type { Tools } from "../options.ts";
import type { ProbeEnd } from "./doubt.ts";
import type { Place, Pools } from "./pools.ts";
import type { Probe } from "./vigil.ts";

/** What every server of OpenAI's API lists, at no cost. Any answer to it is a sign of life. */
const MODELS = "/v1/models";
const HEALTH = "/healthz";

/** A sign of life of a model target, or null when its operator wants it left in peace. */
export function probeOfTarget(tools: ProbeTools, target: Target): Probe | null {
  const { url, keyEnv, probe = MODELS } = target;
  if (probe === UNPROBED) return null;
  return (boundMs) => {
    const key = keyEnv === null ? "" : (tools.keys(keyEnv) ?? "");
    const headers = key === "" ? {} : { authorization: `Bearer ${key}` };
    return signOfLife(tools, tools.pools.place(url, probe), headers, boundMs);
  };
}

/** A sign of life of another region's gateway. */
export function probeOfGateway(tools: ProbeTools, base: string | undefined): Probe | null {
  if (base === undefined) return null;
  return (boundMs) => signOfLife(tools, tools.pools.place(base, HEALTH), {}, boundMs);
}

/** A timer is late by a thirtieth anyway; by more, and this process had no time. */
const LATE_MS = 100;

type ProbeTools = Pick<Tools, "pools" | "clock" | "keys">;

/**
 * Over a connection of its own: a kept one may be as dead as those that the requests wait on, while
 * the server lives. It ends with the answer's first line, and never rejects.
 */
function signOfLife(
  { pools, clock }: { readonly pools: Pools; readonly clock: Tools["clock"] },
  place: Place | null,
  headers: Readonly<Record<string, string>>,
  boundMs: number,
): Promise<ProbeEnd> {
  if (place === null) return Promise.resolve("refused");
  return new Promise((resolve) => {
    const connections = pools.apart(place);
    let sent = false;
    let callOff = (): void => undefined;
    const end = (how: ProbeEnd): void => {
      callOff();
      resolve(how);
      connections.destroy();
    };
    const waitFor = (ms: number): void => {
      const due = clock.monotonic() + ms;
      callOff = clock.after(ms, () => {
        const lateMs = clock.monotonic() - due;
        // We slept, and an answer may lie unread, or our own request unsent.
        if (lateMs > LATE_MS) waitFor(boundMs);
        else setImmediate(() => end(sent ? "silent" : "unreached"));
      });
    };
    waitFor(boundMs);
    const listener: Listener = {
      onSend: () => {
        sent = true;
      },
      onHead: () => end("answered"),
      onBody: () => undefined,
      onRead: () => undefined,
      onEnd: () => end("answered"),
      onError: () => end("refused"),
    };
    const { path, host } = place;
    connections.send({ method: "GET", path, host, headers, body: null }, listener);
  });
}
