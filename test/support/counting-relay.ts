import { connect, createServer, type Socket } from "node:net";

/** A TCP relay before one address that counts what passes, and can call out at a number of bytes. */
export interface CountingRelay {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Bytes that came from the one behind, so far. */
  bytes(): number;
  /** Calls once, as soon as so many bytes more have come from the one behind. */
  after(bytes: number, call: () => void): void;
  close(): Promise<void>;
}

/**
 * `paceMs` is waited after each part, so that the caller keeps up: else what is killed on its way is
 * mostly what the kernel's buffers hold, tens of megabytes a connection.
 */
export async function countingRelay(behind: string, paceMs = 0): Promise<CountingRelay> {
  const [host = "", port = ""] = behind.split(":");
  const sockets = new Set<Socket>();
  let count = 0;
  let alarm: { readonly at: number; readonly call: () => void } | null = null;
  const server = createServer((caller) => {
    const target = connect(Number(port), host);
    for (const socket of [caller, target]) {
      sockets.add(socket);
      // Either side may be killed at any moment: then the other one is let go of, too.
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        caller.destroy();
        target.destroy();
      });
    }
    target.on("data", (data) => {
      count += data.length;
      if (paceMs > 0) {
        target.pause();
        setTimeout(() => target.resume(), paceMs);
      }
      if (alarm === null || count < alarm.at) return;
      const { call } = alarm;
      alarm = null;
      call();
    });
    caller.pipe(target);
    if (paceMs === 0) target.pipe(caller);
    else target.on("data", (data) => caller.write(data)).on("end", () => caller.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    host: `127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    bytes: () => count,
    after: (bytes, call) => {
      alarm = { at: count + bytes, call };
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
