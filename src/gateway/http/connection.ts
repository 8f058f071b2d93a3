import { isIP, type NetConnectOpts, connect as netConnect, type Socket } from "node:net";
import { type ConnectionOptions, connect as tlsConnect } from "node:tls";
import type { AnswerHead } from "./answer-head.ts";
import { lending } from "./lent.ts";
import { type Headers, linesOf } from "./message.ts";
import { type Heard, readingAnswers } from "./reader.ts";
import { send } from "./send.ts";

/** Whom a connection goes to, and what it needs of the world. */
export interface Origin {
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** Longest time to connect, the TLS handshake included, in ms. */
  readonly connectMs: number;
}

export interface Asked {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** As the `Host` header says it. */
  readonly host: string;
  readonly headers: Headers;
  readonly body: Buffer | string | null;
}

/** Told what becomes of a request. After `onEnd` or `onError`, nothing more. */
export interface Listener {
  /** It is sent now: from here on its server may get it. */
  onSend(sending: Sending): void;
  /** The answer's head; earlier ones (1xx) are passed over. */
  onHead(head: AnswerHead): void;
  /** A piece of the body, which is the listener's only during the call. */
  onBody(piece: Buffer): void;
  /** All of what was read at once is told; there may be many pieces in it, one for each chunk. */
  onRead(): void;
  onEnd(): void;
  onError(error: Error): void;
}

/** A request that is under way. */
export interface Sending {
  /** Breaks it off: the connection is closed, and `onError` is told the reason at once. */
  abort(reason: Error): void;
  /** Nothing more is read until `resume`, so that its server has to wait. */
  pause(): void;
  resume(): void;
}

/** What becomes of a connection: its pool's business. */
export interface Owner {
  /** It may be used for another request. */
  free(connection: Connection): void;
  gone(connection: Connection): void;
}

/** A server that says nothing of it may close an idle connection after five seconds. */
const KEPT_MS = 4_000;
const LONGEST_KEPT_MS = 600_000;
/** So much sooner than the server says, or a request would meet its closing. */
const BEFORE_MS = 2_000;

/**
 * One connection with one request at a time: none is sent before the answer to the one before is
 * over. Bytes that nobody asked for close it.
 */
export class Connection implements Sending, Heard<AnswerHead> {
  readonly #owner: Owner;
  readonly #socket: Socket;
  readonly #reader = readingAnswers(this);
  /** Of the present request; null while there is none. */
  #listener: Listener | null = null;
  #head: AnswerHead | null = null;
  readonly #ready: "connect" | "secureConnect";
  /** The present request is written, and its answer not yet whole. */
  #wrote = false;
  #isOver = false;
  /** While it is idle: when it is too old to be used again, by `performance.now()`. */
  idleUntil = 0;

  /** `first` is told when the connection cannot be made. */
  constructor(origin: Origin, owner: Owner, first: Listener, session: Buffer | null) {
    this.#owner = owner;
    this.#listener = first;
    this.#socket = origin.secure ? this.#secure(origin, session) : this.#plain(origin);
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, 60_000);
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("end", () => this.#ended());
    this.#socket.on("close", () => this.#fail(closedError()));
    const late = setTimeout(() => this.#fail(lateError()), origin.connectMs);
    this.#socket.once("close", () => clearTimeout(late));
    this.#ready = origin.secure ? "secureConnect" : "connect";
    this.#socket.once(this.#ready, () => clearTimeout(late));
  }

  /** Calls back when it is made. */
  onReady(ready: () => void): void {
    this.#socket.once(this.#ready, ready);
  }

  /** The socket's: a later connection to the same server can take the TLS session up again. */
  onSession(keep: (session: Buffer) => void): void {
    this.#socket.on("session", keep);
  }

  /** Sends a request. The connection must be free. */
  send(asked: Asked, listener: Listener): void {
    this.#listener = listener;
    this.#head = null;
    this.#wrote = false;
    listener.onSend(this);
    // It may have been given up while it waited.
    if (this.#listener !== listener) return;
    this.#reader.begin();
    this.#wrote = true;
    writeRequest(this.#socket, asked);
  }

  onHead(head: AnswerHead): void {
    this.#head = head;
    this.#listener?.onHead(head);
  }

  onBody(piece: Buffer): void {
    this.#listener?.onBody(piece);
  }

  abort(reason: Error): void {
    const listener = this.#listener;
    if (listener === null) return;
    if (this.#wrote) this.#fail(reason);
    else this.#spare(listener, reason);
  }

  /** Given up before anything was written: the connection is as good as it was. */
  #spare(listener: Listener, reason: Error): void {
    this.#listener = null;
    this.idleUntil = performance.now() + KEPT_MS;
    this.#owner.free(this);
    listener.onError(reason);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#fail(closedError());
  }

  #plain({ host, port }: Origin): Socket {
    const onread = lending((bytes, count) => this.#received(bytes, count));
    const options: NetConnectOpts = { host, port, onread };
    return netConnect(options);
  }

  #secure({ host, port }: Origin, session: Buffer | null): Socket {
    const options: ConnectionOptions = {
      host,
      port,
      ALPNProtocols: ["http/1.1"],
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(session === null ? {} : { session }),
    };
    const socket = tlsConnect(options);
    socket.on("data", (bytes: Buffer) => this.#received(bytes, bytes.length));
    return socket;
  }

  #received(bytes: Buffer, count: number): void {
    try {
      // Bytes that nobody asked for, or behind an answer, are no answer to a request of ours.
      const taken = this.#wrote ? this.#reader.push(bytes, 0, count) : 0;
      if (this.#isOver) return;
      if (!this.#wrote) this.#fail(closedError());
      else if (this.#reader.isWhole) this.#answered(taken === count);
      else this.#listener?.onRead();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #answered(isClean: boolean): void {
    const listener = this.#listener;
    const head = this.#head;
    this.#wrote = false;
    this.#listener = null;
    const kept = isClean && head?.reusable === true && this.#socket.writableLength === 0;
    const idleMs = head?.keptMs == null ? KEPT_MS : head.keptMs - BEFORE_MS;
    this.idleUntil = performance.now() + Math.min(idleMs, LONGEST_KEPT_MS);
    if (!kept || idleMs <= 0) this.#close();
    else this.#owner.free(this);
    listener?.onEnd();
  }

  /** The server has said all that it wants to say. */
  #ended(): void {
    if (this.#wrote && this.#reader.ended()) this.#answered(false);
    else this.#fail(closedError());
  }

  #fail(error: Error): void {
    const listener = this.#listener;
    this.#listener = null;
    this.#reader.stop();
    this.#close();
    listener?.onError(error);
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#owner.gone(this);
  }
}

function writeRequest(socket: Socket, { method, path, host, headers, body }: Asked): void {
  const { text, isAscii } = linesOf(headers);
  const bytes = body === null ? 0 : Buffer.byteLength(body);
  const length = body === null ? "" : `content-length: ${bytes}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  send(socket, { text: `${head}${text}${length}\r\n`, isAscii }, body ?? "", bytes);
}

/** As the kernel would say it: the connection ended in the middle. */
function closedError(): Error {
  return Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" });
}

function lateError(): Error {
  return Object.assign(new Error("no connection in time"), { code: "ETIMEDOUT" });
}
