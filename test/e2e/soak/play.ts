import type { Socket } from "node:net";
import type { Random } from "../../../src/sim/random.ts";
import * as raw from "../../support/raw-upstream.ts";
import { sse } from "../../support/upstream.ts";
import { eventsOf, type Speech, speechOf, wholeAnswer } from "./speech.ts";

/** One request at an upstream, and the chance by which the details of its answer are drawn. */
export interface Scene {
  readonly socket: Socket;
  readonly asked: raw.RawAsked;
  readonly speech: Speech;
  readonly random: Random;
}

/** What an upstream does with one request, byte by byte. */
export type Play = (scene: Scene) => void;

export const DONE = "[DONE]";

/** The right answer, whole or streamed, as asked. */
export const sound: Play = (scene) => {
  const { asked, speech, socket } = scene;
  if (asked.body.stream !== true)
    return as(raw.whole(200, JSON.stringify(wholeAnswer(speech))))(scene);
  const { said, ends } = eventsOf(speech);
  tell(scene, [...said, ...ends], () => end(socket, [DONE]));
};

/** A way that is the same for every question. */
export function as(answer: raw.RawAnswer): Play {
  return ({ socket, asked }) => answer(socket, asked);
}

export function scene(socket: Socket, asked: raw.RawAsked, random: Random): Scene {
  return { socket, asked, speech: speechOf(asked), random };
}

/** `play` after a while, unless the gateway has closed the connection meanwhile. */
export function later(socket: Socket, ms: number, play: () => void): void {
  const stop = (): void => clearTimeout(timer);
  const timer = setTimeout(() => {
    // A kept-alive connection would gather one for each of its requests.
    socket.off("close", stop);
    play();
  }, ms);
  socket.once("close", stop);
}

/** Between the pieces of a stream, at most, in ms. */
const PAUSE_MS = 60;

/** Begins a stream and tells the events in several pieces; `then` comes after the last. */
export function tell(
  { socket, random }: Scene,
  events: readonly unknown[],
  then: () => void,
): void {
  const headers = { "content-type": "text/event-stream", "transfer-encoding": "chunked" };
  socket.write(raw.head(200, headers));
  const piece = (from: number): void => {
    if (from >= events.length) {
      then();
      return;
    }
    const next = from + 1 + random.below(events.length);
    raw.writeChunk(socket, events.slice(from, next).map(sse).join(""));
    later(socket, random.below(PAUSE_MS), () => piece(next));
  };
  piece(0);
}

/** The last events, and the proper end of the body: the connection can be used again. */
export function end(socket: Socket, events: readonly unknown[]): void {
  if (events.length > 0) raw.writeChunk(socket, events.map(sse).join(""));
  socket.write("0\r\n\r\n");
}

/** A stream that goes wrong after some of its events, before a choice's last. */
export function breaks(how: (socket: Socket) => void): Play {
  return (scene) => {
    const { asked, speech, socket, random } = scene;
    if (asked.body.stream !== true) return cutBody(scene);
    const { said } = eventsOf(speech);
    tell(scene, said.slice(0, 1 + random.below(said.length)), () => how(socket));
  };
}

/** A whole answer's body that ends before the length that was told. */
const cutBody: Play = ({ socket, speech, random }) => {
  const body = Buffer.from(JSON.stringify(wholeAnswer(speech)));
  const headers = { "content-type": "application/json", "content-length": String(body.length) };
  socket.write(raw.head(200, headers));
  socket.write(body.subarray(0, random.below(body.length)));
  later(socket, random.below(PAUSE_MS), () => socket.destroy());
};
