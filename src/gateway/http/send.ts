import type { Socket } from "node:net";
import type { Lines } from "./message.ts";

/** Longer bodies are not copied to stand behind their heads. */
const ONE_PIECE_BYTES = 64 * 1024;

/**
 * Writes a head and what stands behind it: in one write where that can be, since a second one is a
 * second packet, and a second call. `bytes`: how long the body is. False when the other end is slower.
 */
export function send(
  socket: Socket,
  { text, isAscii }: Lines,
  body: Buffer | string,
  bytes = Buffer.byteLength(body),
): boolean {
  if (typeof body !== "string") {
    // As text of single bytes it goes out in one piece with the head.
    return body.length > ONE_PIECE_BYTES
      ? inTwo(socket, text, body)
      : socket.write(text + body.toString("latin1"), "latin1");
  }
  // Text of as many bytes as characters is ASCII, which latin1 writes the same and sooner.
  if (bytes === body.length) return socket.write(text + body, "latin1");
  return isAscii ? socket.write(text + body, "utf8") : inTwo(socket, text, body);
}

function inTwo(socket: Socket, text: string, body: Buffer | string): boolean {
  socket.cork();
  socket.write(text, "latin1");
  const taken = socket.write(body);
  socket.uncork();
  return taken;
}
