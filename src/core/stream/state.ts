import {
  type ChoiceDelta,
  type Chunk,
  type Frame,
  TEXT_FIELDS,
  type TextField,
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
  /** The texts are these, and behind them the newest pieces: `allTexts`. */
  readonly settled: Texts;
  readonly recent: readonly Texts[];
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
  settled: {},
  recent: [],
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
    (sum, choice) => sum + lengthOf(allTexts(choice)),
    0,
  );
  const calls = [...state.choices.values()].reduce((sum, { toolCalls }) => sum + toolCalls.size, 0);
  const tools = calls === 0 ? "" : ` and ${calls} unfinished tool call${calls === 1 ? "" : "s"}`;
  return `${state.events} event${state.events === 1 ? "" : "s"} with ${characters} characters${tools}`;
}

function afterChunk(state: StreamState, chunk: Chunk): StreamState {
  return {
    id: state.id ?? chunk.id,
    created: state.created ?? chunk.created,
    choices: afterDeltas(state.choices, chunk.choices),
    usage: chunk.usage ?? state.usage,
    done: false,
    fault: null,
    events: state.events + 1,
  };
}

function afterDeltas(
  before: ReadonlyMap<number, ChoiceState>,
  deltas: readonly ChoiceDelta[],
): ReadonlyMap<number, ChoiceState> {
  const [first] = deltas;
  if (first === undefined) return before;
  // Nearly every stream is of one choice, and this is done for each event of each.
  const replaced = deltas.length === 1 && before.size === 1 && before.has(first.index);
  const choices = new Map<number, ChoiceState>(replaced ? null : before);
  for (const delta of deltas) {
    const choice = (replaced ? before : choices).get(delta.index) ?? EMPTY_CHOICE;
    choices.set(delta.index, afterDelta(choice, delta));
  }
  return choices;
}

function afterDelta(choice: ChoiceState, delta: ChoiceDelta): ChoiceState {
  const says = saysText(delta);
  const pieces = choice.pieces + (says ? 1 : 0);
  const recent = says ? [...choice.recent, delta.texts] : choice.recent;
  const settles = recent.length === SETTLED_AT;
  return {
    settled: settles ? joined(choice.settled, recent) : choice.settled,
    recent: settles ? NOTHING_RECENT : recent,
    pieces,
    deltas: choice.deltas + 1,
    opaque: choice.opaque || delta.opaque,
    toolCalls: delta.toolCalls.length === 0 ? choice.toolCalls : afterToolDeltas(choice, delta),
    finish: delta.finish ?? choice.finish,
  };
}

/**
 * A text that grows by single pieces is kept as those pieces and what holds each two together: four
 * times as much as the text, and for a thousand open streams more than all else that they need. So a
 * few at a time become one.
 */
const SETTLED_AT = 8;
const NOTHING_RECENT: readonly Texts[] = [];

/** Not by `+`: that would hold the pieces together, and keep them. */
function joined(settled: Texts, recent: readonly Texts[]): Texts {
  const more: Partial<Record<TextField, string>> = {};
  for (const field of TEXT_FIELDS) {
    const said = recent.some((texts) => texts[field] !== undefined);
    if (said) more[field] = recent.map((texts) => texts[field] ?? "").join("");
  }
  return addTexts(settled, more);
}

/** All that a choice says so far. */
export function allTexts({ settled, recent }: ChoiceState): Texts {
  return joined(settled, recent);
}

export function addTexts(before: Texts, more: Texts): Texts {
  const texts = { ...before };
  for (const field of fieldsOf(more)) texts[field] = (before[field] ?? "") + (more[field] ?? "");
  return texts;
}

function fieldsOf(texts: Texts): TextField[] {
  return Object.keys(texts) as TextField[];
}

/** A text that stands there is not empty. */
export function saysText({ texts }: ChoiceDelta): boolean {
  for (const _ in texts) return true;
  return false;
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
