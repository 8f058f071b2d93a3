import type { IncomingMessage } from "node:http";
import type { Body } from "./chain/call.ts";

/**
 * Reads a request's body, at most `limitBytes` of it into memory. What is beyond is read and thrown
 * away: closing the connection under a caller that still sends would make it see a reset instead of
 * the 413 that says what is wrong. The server's request time-out bounds how long that may go on.
 */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Body> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > limitBytes) {
    request.resume();
    return Promise.resolve({ kind: "too-large" });
  }
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let length = 0;
    request.on("data", (piece: Buffer) => {
      length += piece.length;
      if (length <= limitBytes) {
        pieces.push(piece);
        return;
      }
      pieces.length = 0;
      resolve({ kind: "too-large" });
    });
    request.on("end", () => resolve({ kind: "whole", bytes: joined(pieces) }));
    // `close` comes after `end`, too: then the promise is resolved already and this does nothing.
    request.on("close", () => resolve({ kind: "gone" }));
    request.on("error", () => resolve({ kind: "gone" }));
  });
}

/** Most bodies come in one piece, and need no copy. */
function joined(pieces: readonly Buffer[]): Buffer {
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
}
