import type { Socket } from "node:net";
import type { Random } from "../../../src/sim/random.ts";
import * as raw from "../../support/raw-upstream.ts";
import { chunk } from "../../support/upstream.ts";
import { as, breaks, DONE, end, later, type Play, type Scene, sound, tell } from "./play.ts";
import { eventsOf } from "./speech.ts";

/** Something that the gateway promises to outlive. */
export interface Fault {
  readonly name: string;
  /** How often it is drawn, beside the others. */
  readonly weight: number;
  readonly play: Play;
  /** It may also be an upstream's way for a while. */
  readonly lasting: boolean;
}

/** Codes of refusals that are the caller's answer, and are passed on as they are. */
export const REFUSALS = {
  context: "context_length_exceeded",
  policy: "content_policy_violation",
} as const;

const HTML = "<html><body>502 Bad Gateway</body></html>";
const MEGABYTES = "x".repeat(4 * 1024 * 1024);
const ERROR = { error: { message: "CUDA error", type: "server_error" } };
const ENDED_BY_ERROR = chunk({}, "error");

/** Before the first byte and after it; to a whole answer a break in a stream is a cut body. */
export const FAULTS: readonly Fault[] = [
  lasting("a reset", 6, as(raw.resets)),
  lasting("silence", 3, as(raw.accepts)),
  lasting("headers and then silence", 2, as(raw.headersOnly)),
  lasting("503", 5, as(raw.errors(503))),
  lasting("401", 1, as(raw.errors(401))),
  lasting("403", 1, as(raw.errors(403))),
  lasting("no such model", 1, as(raw.errors(404, { message: "x", code: "model_not_found" }))),
  lasting("429", 2, as(raw.errors(429))),
  fault("500", 6, as(raw.errors(500))),
  fault("429, soon again", 2, as(busy("retry-after-ms", () => "50"))),
  fault("429, tomorrow again", 1, as(busy("retry-after", () => "86400"))),
  fault("429, again at a date", 1, as(busy("retry-after", inOneSecond))),
  fault("200 without a body", 1, as(raw.whole(200, ""))),
  fault("200 with HTML", 1, as(raw.whole(200, HTML, { "content-type": "text/html" }))),
  fault("200 with half a JSON", 1, as(raw.whole(200, '{"id":"1","choices":[{"message":{"con'))),
  fault("200 with an error", 1, as(raw.errors(200, { message: "no memory" }))),
  fault("a drip of bytes", 1, as(raw.drips(1_000, false))),
  fault("a flood", 0.3, as(raw.floods)),
  fault("a slow first token", 3, slow),
  fault("context too long", 1, as(raw.errors(400, { message: "x", code: REFUSALS.context }))),
  fault("content refused", 1, as(raw.errors(403, { message: "no", code: REFUSALS.policy }))),
  broken("cut by a reset", 8, (socket) => void socket.resetAndDestroy()),
  broken("cut by an end", 4, (socket) => end(socket, [])),
  broken("a stall", 4, () => undefined),
  broken("a drip in the middle", 1, drip),
  broken("an event that is no JSON", 2, (socket) => end(socket, ['{"oops', DONE])),
  broken("a page in the middle", 1, (socket) => end(socket, [HTML])),
  broken("an error event", 2, (socket) => end(socket, [ERROR])),
  broken("an error event and [DONE]", 2, (socket) => end(socket, [ERROR, DONE])),
  broken('finish_reason "error"', 2, (socket) => end(socket, [ENDED_BY_ERROR, DONE])),
  broken("[DONE] too soon", 2, (socket) => end(socket, [DONE])),
  broken("megabytes without a line end", 0.5, (socket) => void raw.writeChunk(socket, MEGABYTES)),
  fault("no [DONE]", 2, withoutDone),
];

/** By weight. */
export function drawFault(random: Random, from: readonly Fault[] = FAULTS): Fault {
  const total = from.reduce((sum, { weight }) => sum + weight, 0);
  let left = random.next() * total;
  const drawn = from.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  return drawn ?? random.pick(from);
}

function fault(name: string, weight: number, play: Play): Fault {
  return { name, weight, play, lasting: false };
}

function lasting(name: string, weight: number, play: Play): Fault {
  return { name, weight, play, lasting: true };
}

function broken(name: string, weight: number, how: (socket: Socket) => void): Fault {
  return fault(name, weight, breaks(how));
}

/** 429 with a word of when to come back; the word is made anew for each. */
function busy(header: string, value: () => string): raw.RawAnswer {
  return (socket, asked) => raw.errors(429, undefined, { [header]: value() })(socket, asked);
}

function inOneSecond(): string {
  return new Date(Date.now() + 1_000).toUTCString();
}

/** Sometimes within what is normal, sometimes far beyond. */
function slow(scene: Scene): void {
  later(scene.socket, 100 + scene.random.below(4_000), () => sound(scene));
}

function drip(socket: Socket): void {
  raw.writeChunk(socket, "data: ");
  const timer = setInterval(() => raw.writeChunk(socket, " "), 1_000);
  socket.once("close", () => clearInterval(timer));
}

function withoutDone(scene: Scene): void {
  const { said, ends } = eventsOf(scene.speech);
  if (scene.asked.body.stream !== true) sound(scene);
  else tell(scene, [...said, ...ends], () => end(scene.socket, []));
}
