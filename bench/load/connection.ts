import { connect, type Socket } from "node:net";

/** What a connection tells of the answer that it waits for. */
export interface Listener {
  /** A piece of the body, the framing taken off. */
  body(text: string): void;
  /** The answer is whole. */
  end(status: number): void;
  /** The connection broke. */
  failed(because: string): void;
}

/**
 * One kept-alive connection, read with as little work as possible: the load must not be slower than
 * what it measures. One request at a time; bytes are read as latin1, so a character is a byte.
 */
export class Connection {
  readonly #socket: Socket;
  #listener: Listener | null = null;
  #waiting = "";
  #status = 0;
  /** Body bytes to come; -1 before the head, -2 in a chunked body. */
  #left = -1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text) => this.#take(String(text)));
    socket.on("error", (error) => this.#fail(error.message));
    socket.on("close", () => this.#fail("closed"));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => {
        socket.off("error", reject);
        resolve(new Connection(socket));
      });
      socket.once("error", reject);
    });
  }

  send(request: string, listener: Listener): void {
    this.#listener = listener;
    this.#left = -1;
    if (this.#socket.destroyed) this.#fail("closed");
    else this.#socket.write(request, "latin1");
  }

  close(): void {
    this.#listener = null;
    this.#socket.destroy();
  }

  #fail(because: string): void {
    const listener = this.#listener;
    this.#listener = null;
    this.#socket.destroy();
    listener?.failed(because);
  }

  #take(text: string): void {
    this.#waiting = this.#waiting === "" ? text : this.#waiting + text;
    if (this.#left === -1 && !this.#readHead()) return;
    if (this.#left === -2) this.#readChunks();
    else this.#readSized();
  }

  #readHead(): boolean {
    const end = this.#waiting.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = this.#waiting.slice(0, end);
    this.#waiting = this.#waiting.slice(end + 4);
    this.#status = Number(head.slice(9, 12));
    const length = /content-length: *(\d+)/i.exec(head)?.[1];
    this.#left = length === undefined ? -2 : Number(length);
    return true;
  }

  #readSized(): void {
    const piece = this.#waiting;
    this.#waiting = "";
    this.#left -= piece.length;
    if (piece !== "") this.#listener?.body(piece);
    if (this.#left <= 0) this.#finish();
  }

  #readChunks(): void {
    for (;;) {
      const line = this.#waiting.indexOf("\r\n");
      if (line < 0) return;
      const size = Number.parseInt(this.#waiting.slice(0, line), 16);
      if (this.#waiting.length < line + 4 + size) return;
      const piece = this.#waiting.slice(line + 2, line + 2 + size);
      this.#waiting = this.#waiting.slice(line + 4 + size);
      if (size > 0) this.#listener?.body(piece);
      else {
        if (size === 0) this.#finish();
        else this.#fail("not a chunked body");
        return;
      }
    }
  }

  #finish(): void {
    const listener = this.#listener;
    this.#listener = null;
    this.#left = -1;
    listener?.end(this.#status);
  }
}

/** A POST as text: made once, sent many times. */
export function requestText(
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n${lines.join("")}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
