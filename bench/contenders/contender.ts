import type { Aim } from "../load/jobs.ts";
import { type Bench, firstMessage } from "../support/bench.ts";

export type Name = "tideover" | "passThrough" | "haproxy" | "nginx" | "portkey" | "direct";

/** Something between a caller and the upstream, up and ready to be asked. */
export interface Contender {
  readonly name: Name;
  readonly aim: Aim;
  /** What is measured; undefined for `direct`, where nothing stands between. */
  readonly pid: number | undefined;
  /** Ends it; without effect on `direct`. */
  readonly stop: () => void;
  /** What a reader must know to judge its figures. */
  readonly note: string;
}

/** Starts one, also a second time. Rejects with the reason when it cannot be had here. */
export type Start = (bench: Bench, upstream: Upstream) => Promise<Contender>;

export interface Upstream {
  readonly port: number;
  readonly url: string;
}

/** What every request carries: the demo key, which each contender passes on or judges. */
export const KEY = "tk-demo-acme";
export const KEY_HASH = "sha256:bf9a816d50b63c58f5633b4de666026331203a9355551feb8ecff51864f86d5c";
export const CHAT_PATH = "/v1/chat/completions";
export const MODEL = "chat";

export function plainAim(port: number): Aim {
  return { port, path: CHAT_PATH, headers: { authorization: `Bearer ${KEY}` }, model: MODEL };
}

/** Nothing between: what the load and the upstream cost by themselves. */
export const direct: Start = async (_bench, upstream) => ({
  name: "direct",
  aim: plainAim(upstream.port),
  pid: undefined,
  stop: () => undefined,
  note: "no gateway: what load and upstream cost by themselves",
});

export async function startUpstream(bench: Bench): Promise<Upstream> {
  const child = bench.startOwn("upstream.ts", [], bench.cores.others);
  const { port } = await firstMessage<{ readonly port: number }>(child);
  return { port, url: `http://127.0.0.1:${port}` };
}
