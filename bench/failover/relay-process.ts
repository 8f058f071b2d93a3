import { type Mode, Relay } from "./relay.ts";

/** All relays of an estate in one process of their own: a busy neighbour would be a fault, too. */

export interface RelayPlan {
  readonly name: string;
  readonly port: number;
  readonly upstreamPort: number;
}

const plans: readonly RelayPlan[] = JSON.parse(process.argv[2] ?? "[]");
const relays = new Map<string, Relay>();
for (const { name, port, upstreamPort } of plans)
  relays.set(name, await Relay.start(port, upstreamPort));

process.on("message", (message) => {
  const { name, mode } = message as { readonly name: string; readonly mode: Mode };
  const relay = relays.get(name);
  if (relay !== undefined) relay.mode = mode;
  // Told only now: the fault's time counts from when it is really there.
  process.send?.({ done: name });
});
process.once("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
process.send?.({ up: true });
