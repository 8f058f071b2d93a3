import {
  type ChoiceDelta,
  type Chunk,
  type Frame,
  TEXT_FIELDS,
  type Texts,
  type TokenCount,
  type ToolDelta,
} from "./frame.ts";

/**
 * What a half-delivered answer is. Neither the status, nor the end of the connection, nor `[DONE]`
 * alone says that an answer is whole: vLLM sends `[DONE]` after an error frame, and a killed
 * server's last bytes look like any others. So the events themselves are followed.
 */
export interface StreamState {
  /** Of the first chunk that has one. */
  readonly id: string | null;
  readonly created: number | null;
  /** By choice index. */
  readonly choices: ReadonlyMap<number, ChoiceState>;
  readonly usage: TokenCount | null;
  readonly done: boolean;
  /** The first thing that made the stream unfit; nothing after it counts. */
  readonly fault: string | null;
  /** Chunks followed. */
  readonly events: number;
}

export interface ChoiceState {
  readonly texts: Texts;
  /** Deltas that said some of the texts. Servers send one token in each, or several: never less. */
  readonly pieces: number;
  readonly deltas: number;
  readonly opaque: boolean;
  /** By tool call index; `argumentText` as far as it came. */
  readonly toolCalls: ReadonlyMap<number, ToolDelta>;
  readonly finish: string | null;
}

export type Wholeness =
  | { readonly whole: true }
  | { readonly whole: false; readonly because: string };

export const EMPTY_STREAM: StreamState = {
  id: null,
  created: null,
  choices: new Map(),
  usage: null,
  done: false,
  fault: null,
  events: 0,
};

const EMPTY_CHOICE: ChoiceState = {
  texts: {},
  pieces: 0,
  deltas: 0,
  opaque: false,
  toolCalls: new Map(),
  finish: null,
};

/** The state after one more frame. The one before is left as it was. */
export function follow(state: StreamState, frame: Frame): StreamState {
  if (state.fault !== null) return state;
  if (frame.kind === "fault") return { ...state, fault: frame.because };
  if (state.done) return { ...state, fault: "events after [DONE]" };
  if (frame.kind === "done") return { ...state, done: true };
  return afterChunk(state, frame.chunk);
}

/**
 * Whole only with a finish reason for every choice that was seen, at least one, and a `[DONE]`
 * that nothing unfit came before.
 */
export function judge(state: StreamState): Wholeness {
  if (state.fault !== null) return { whole: false, because: state.fault };
  if (state.choices.size === 0) return { whole: false, because: "it ended before any answer" };
  const open = [...state.choices].filter(([, choice]) => choice.finish === null);
  if (open.length > 0) {
    const which = open.map(([index]) => index).join(", ");
    return { whole: false, because: `it ended without a finish reason for choice ${which}` };
  }
  return state.done ? { whole: true } : { whole: false, because: "it ended before [DONE]" };
}

/** How far an answer got, in the words of a message to its caller. */
export function howFar(state: StreamState): string {
  const characters = [...state.choices.values()].reduce(
    (sum, { texts }) => sum + lengthOf(texts),
    0,
  );
  const calls = [...state.choices.values()].reduce((sum, { toolCalls }) => sum + toolCalls.size, 0);
  const tools = calls === 0 ? "" : ` and ${calls} unfinished tool call${calls === 1 ? "" : "s"}`;
  return `${state.events} event${state.events === 1 ? "" : "s"} with ${characters} characters${tools}`;
}

function afterChunk(state: StreamState, chunk: Chunk): StreamState {
  const choices = new Map(state.choices);
  for (const delta of chunk.choices) {
    choices.set(delta.index, afterDelta(choices.get(delta.index) ?? EMPTY_CHOICE, delta));
  }
  return {
    ...state,
    id: state.id ?? chunk.id,
    created: state.created ?? chunk.created,
    choices,
    usage: chunk.usage ?? state.usage,
    events: state.events + 1,
  };
}

function afterDelta(choice: ChoiceState, delta: ChoiceDelta): ChoiceState {
  return {
    texts: addTexts(choice.texts, delta.texts),
    pieces: choice.pieces + (saysText(delta) ? 1 : 0),
    deltas: choice.deltas + 1,
    opaque: choice.opaque || delta.opaque,
    toolCalls: delta.toolCalls.length === 0 ? choice.toolCalls : afterToolDeltas(choice, delta),
    finish: delta.finish ?? choice.finish,
  };
}

export function addTexts(before: Texts, more: Texts): Texts {
  const texts = { ...before };
  for (const field of TEXT_FIELDS) {
    const text = more[field];
    if (text !== undefined) texts[field] = (texts[field] ?? "") + text;
  }
  return texts;
}

export function saysText({ texts }: ChoiceDelta): boolean {
  return lengthOf(texts) > 0;
}

export function lengthOf(texts: Texts): number {
  return TEXT_FIELDS.reduce((sum, field) => sum + (texts[field]?.length ?? 0), 0);
}

function afterToolDeltas(choice: ChoiceState, delta: ChoiceDelta): ReadonlyMap<number, ToolDelta> {
  const calls = new Map(choice.toolCalls);
  for (const piece of delta.toolCalls) {
    const before = calls.get(piece.index);
    // The first piece names the call; later ones only add to its arguments.
    calls.set(piece.index, {
      index: piece.index,
      id: before?.id || piece.id,
      name: before?.name || piece.name,
      argumentText: (before?.argumentText ?? "") + piece.argumentText,
    });
  }
  return calls;
}
