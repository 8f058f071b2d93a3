import { type Server, Socket, type SocketConstructorOpts } from "node:net";

/** Told of the first `count` of these bytes, which are its own only during the call. */
type Take = (bytes: Buffer, count: number) => void;

/**
 * What arrives on any connection is read into this one: each read is used up before the next. On
 * Windows reads are under way while nobody looks, and each connection has its own.
 */
const SHARED = Buffer.allocUnsafeSlow(64 * 1024);
const isShared = process.platform !== "win32";

/**
 * How a socket reads into lent memory, for its constructor. To allocate memory for each read, hand it
 * through a stream and collect it again is a tenth of what a small request costs.
 */
export function lending(take: Take) {
  const buffer = isShared ? SHARED : Buffer.allocUnsafeSlow(SHARED.length);
  return {
    buffer,
    callback: (count: number): boolean => {
      take(buffer, count);
      return true;
    },
  };
}

/** What node keeps of a connection that it accepted, beside what it tells of it. */
interface Accepted {
  _handle: unknown;
  _server: Server | null;
}

/**
 * A connection that a server with `pauseOnConnect` has accepted, as a socket that reads into lent
 * memory. `net.Server` has no option for that (a socket that connects has one): the connection moves to
 * a socket that was made so, by the two fields that every release of Node so far keeps it in. Where
 * they are not as expected it stays what it is, and reads as usual.
 */
export function lentTo(take: Take, accepted: Socket): Socket {
  const before = accepted as unknown as Accepted;
  const { _handle: handle, _server: server } = before;
  if (typeof handle !== "object" || handle === null || server === null) {
    accepted.on("data", (bytes: Buffer) => take(bytes, bytes.length));
    accepted.resume();
    return accepted;
  }
  const options = { handle, readable: true, writable: true, onread: lending(take) };
  before._handle = null;
  before._server = null;
  const socket = new Socket(options as SocketConstructorOpts);
  // It is this one now whose end the server waits for before it is closed.
  (socket as unknown as Accepted)._server = server;
  return socket;
}
