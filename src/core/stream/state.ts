import type { ChoiceDelta, Chunk, Frame, TokenCount, ToolDelta } from "./frame.ts";

/**
 * What a half-delivered answer is. Neither the status, nor the end of the connection, nor `[DONE]`
 * alone says that an answer is whole: vLLM sends `[DONE]` after an error frame, and a killed
 * server's last bytes look like any others. So the events themselves are followed.
 */
export interface StreamState {
  /** By choice index. */
  readonly choices: ReadonlyMap<number, ChoiceState>;
  readonly usage: TokenCount | null;
  readonly done: boolean;
  /** The first thing that made the stream unfit; nothing after it counts. */
  readonly fault: string | null;
  /** Chunks followed. */
  readonly events: number;
}

interface ChoiceState {
  readonly text: string;
  /** By tool call index; `argumentText` as far as it came. */
  readonly toolCalls: ReadonlyMap<number, ToolDelta>;
  readonly finish: string | null;
}

export type Wholeness =
  | { readonly whole: true }
  | { readonly whole: false; readonly because: string };

export const EMPTY_STREAM: StreamState = {
  choices: new Map(),
  usage: null,
  done: false,
  fault: null,
  events: 0,
};

const EMPTY_CHOICE: ChoiceState = { text: "", toolCalls: new Map(), finish: null };

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
  const characters = [...state.choices.values()].reduce((sum, { text }) => sum + text.length, 0);
  const calls = [...state.choices.values()].reduce((sum, { toolCalls }) => sum + toolCalls.size, 0);
  const tools = calls === 0 ? "" : ` and ${calls} unfinished tool call${calls === 1 ? "" : "s"}`;
  return `${state.events} event${state.events === 1 ? "" : "s"} with ${characters} characters${tools}`;
}

function afterChunk(state: StreamState, chunk: Chunk): StreamState {
  const choices = new Map(state.choices);
  for (const delta of chunk.choices) {
    choices.set(delta.index, afterDelta(choices.get(delta.index) ?? EMPTY_CHOICE, delta));
  }
  return { ...state, choices, usage: chunk.usage ?? state.usage, events: state.events + 1 };
}

function afterDelta(choice: ChoiceState, delta: ChoiceDelta): ChoiceState {
  return {
    text: choice.text + delta.text,
    toolCalls: delta.toolCalls.length === 0 ? choice.toolCalls : afterToolDeltas(choice, delta),
    finish: delta.finish ?? choice.finish,
  };
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
