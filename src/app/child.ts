import { messageOf, TideoverError } from "../lib/errors.ts";
import type { Role } from "./role.ts";

/** What a supervised process tells the supervisor over the channel that it was started with. */
export type ChildMessage =
  | { readonly type: "ready"; readonly url: string }
  | {
      readonly type: "failed";
      readonly code: string;
      readonly message: string;
      readonly next: string | null;
    };

/**
 * Runs one role until it is told to stop: by a signal, or by the end of the supervisor that started
 * it. A process whose supervisor is gone ends itself: otherwise a killed `up` would leave orphans
 * that hold the ports and go on writing the estate's files.
 */
export async function runRole(
  start: () => Promise<Role>,
  announce: (role: Role) => void,
): Promise<void> {
  try {
    const role = await start();
    // Before anybody is told: whoever sees that it runs may stop it at once, and a signal that
    // nobody listens to yet would end it without closing anything.
    const stopped = untilStopped();
    announce(role);
    tellSupervisor({ type: "ready", url: role.url });
    await stopped;
    await role.close();
  } catch (error) {
    tellSupervisor(failureOf(error));
    throw error;
  }
}

/**
 * Resolves at the first SIGINT, SIGTERM or SIGHUP, or when the supervisor's channel closes. Under
 * a supervisor SIGINT is let pass: a terminal's Ctrl-C reaches every process of the group at once,
 * and it is the supervisor that knows in which order they should end.
 */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    // undefined: never had a supervisor. false: had one, and it died while this role was starting;
    // its "disconnect" was told before anybody listened, and waiting for it would never end.
    const supervised = process.connected !== undefined;
    if (process.connected === false) return resolve();
    process.on("SIGINT", () => {
      if (!supervised) resolve();
    });
    for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve());
    if (supervised) process.once("disconnect", () => resolve());
  });
}

function failureOf(error: unknown): ChildMessage {
  const known = error instanceof TideoverError;
  return {
    type: "failed",
    code: known ? error.code : "UNEXPECTED",
    message: messageOf(error),
    next: (known ? error.next : undefined) ?? null,
  };
}

function tellSupervisor(message: ChildMessage): void {
  // The channel may close at any moment (the supervisor was killed): that is not this role's error.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
