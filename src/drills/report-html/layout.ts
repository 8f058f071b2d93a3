import type { TimelineEvent } from "../../core/evidence/report.ts";
import { type Headline, headlineOf, type Tone } from "./headline.ts";
import type { PlacedEvent, Span } from "./story.ts";

/** All lengths are in the picture's own units: 12 of them are the height of its text. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Its rectangle holds the whole text, and no other label of the picture. */
export interface Label extends Rect {
  readonly text: string;
  readonly tone: Tone;
  /** It stands left of its line and ends there. */
  readonly isFlipped: boolean;
  /** The whole of what the label stands for. */
  readonly title: string;
  /** The vertical line from the mark down to the label. */
  readonly leader: Rect;
}

export interface Mark {
  readonly x: number;
  readonly y: number;
  /** null: one of the many that have no name. */
  readonly tone: Tone | null;
  readonly title: string;
}

export interface Lane extends Rect {
  readonly name: string;
  readonly baseline: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Left and right end of the scale. */
  readonly plot: Span;
  readonly lanes: readonly Lane[];
  readonly marks: readonly Mark[];
  readonly labels: readonly Label[];
  readonly ticks: readonly { readonly x: number; readonly seconds: number }[];
  readonly axisY: number;
  /** Where a moment stands; moments outside of the window fall on its edge. */
  readonly xOf: (seconds: number) => number;
}

const WIDTH = 1000;
const PLOT: Span = { from: 132, to: 988 };
/** Room above the lanes for the names of the shaded spans. */
export const HEAD_HEIGHT = 46;
const AXIS_HEIGHT = 40;
const BASELINE = 15;
const FIRST_ROW = 24;
const ROW = 18;
const LABEL_HEIGHT = 16;
/** Deeper than this a label is too far from its mark to be read as its own. */
const MAX_ROWS = 10;
/** Events of one label this close together are one label. */
const GROUP_WIDTH = 110;
/** A label may be long where there is room close to its mark, and must be short elsewhere. */
const LONG = { columns: 64, rows: 2 };
const SHORT = { columns: 34, rows: MAX_ROWS };
const GRAVE_ROWS = 40;
/** Wide on purpose: the reader's system font is not known here. */
const COLUMN = 7.2;
const PADDING = 6;
const MOST_TICKS = 12;

/** Places every event within `window` so that no two labels overlap. Pure: no font is asked. */
export function layoutTimeline(events: readonly PlacedEvent[], window: Span): Layout {
  const scale = (PLOT.to - PLOT.from) / Math.max(Number.MIN_VALUE, window.to - window.from);
  const xOf = (seconds: number): number =>
    Math.min(PLOT.to, Math.max(PLOT.from, PLOT.from + (seconds - window.from) * scale));
  const shown = events.filter(({ seconds }) => seconds >= window.from && seconds <= window.to);
  const lanes: Lane[] = [];
  const marks: Mark[] = [];
  const labels: Label[] = [];
  let y = HEAD_HEIGHT;
  for (const name of laneNames(shown)) {
    const placed = layoutLane(
      shown.filter(({ event }) => event.lane === name),
      y,
      xOf,
    );
    lanes.push({ name, x: 0, y, width: WIDTH, height: placed.height, baseline: y + BASELINE });
    marks.push(...placed.marks);
    labels.push(...placed.labels);
    y += placed.height;
  }
  const ticks = tickSeconds(window).map((seconds) => ({ x: xOf(seconds), seconds }));
  return {
    width: WIDTH,
    height: y + AXIS_HEIGHT,
    plot: PLOT,
    lanes,
    marks,
    labels,
    ticks,
    axisY: y,
    xOf,
  };
}

export function overlaps(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** Cut to so many columns, with an ellipsis for what is missing. */
export function truncate(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let kept = "";
  for (const character of text) {
    if (columnsOf(kept + character) > columns - 1) break;
    kept += character;
  }
  return `${kept.trimEnd()}…`;
}

/** Callers first and the controller last, as a request goes; between them in order of appearance. */
function laneNames(events: readonly PlacedEvent[]): string[] {
  const rank = (lane: string): number => (lane === "callers" ? 0 : lane === "controller" ? 2 : 1);
  const names = [...new Set(events.map(({ event }) => event.lane))];
  return names.toSorted((a, b) => rank(a) - rank(b));
}

function layoutLane(
  events: readonly PlacedEvent[],
  y: number,
  xOf: (seconds: number) => number,
): { height: number; marks: Mark[]; labels: Label[] } {
  const named = events.map((one) => ({
    x: xOf(one.seconds),
    event: one.event,
    headline: headlineOf(one.event),
  }));
  const marks = named.map(({ x, event, headline }) => ({
    x,
    y: y + BASELINE,
    tone: headline?.tone ?? null,
    title: event.text,
  }));
  const labels = placeLabels(groupsOf(named), y);
  const deepest = labels.reduce((most, label) => Math.max(most, label.y + ROW), y + FIRST_ROW);
  return { height: deepest + PADDING - y, marks, labels };
}

interface Group {
  readonly x: number;
  readonly headline: Headline;
  readonly events: TimelineEvent[];
}

/** Three workflows that reach one point together are one label with a count, not three. */
function groupsOf(
  named: readonly { x: number; event: TimelineEvent; headline: Headline | null }[],
): Group[] {
  const groups: Group[] = [];
  const open = new Map<string, Group>();
  for (const { x, event, headline } of named) {
    if (!headline) continue;
    const near = open.get(headline.label);
    if (near && Math.abs(x - near.x) <= GROUP_WIDTH) {
      near.events.push(event);
      continue;
    }
    const group = { x, headline, events: [event] };
    open.set(headline.label, group);
    groups.push(group);
  }
  return groups;
}

/**
 * Each label in the highest row that is free and crosses no line. Labels right of their line are
 * placed from right to left, those left of it from left to right: so the line of each next one
 * passes beside the labels before it.
 */
function placeLabels(groups: readonly Group[], top: number): Label[] {
  const placed: Label[] = [];
  for (const seat of seatsOf(groups)) {
    const free = candidatesOf(seat, top).filter(
      (label) => isInside(label) && !placed.some((other) => overlaps(label, other)),
    );
    // A line behind a label is better than no label; two labels over each other are not.
    const [best] = free
      .map((label) => ({ label, crossed: placed.filter((other) => crosses(label, other)).length }))
      .sort((a, b) => a.crossed - b.crossed);
    if (best) placed.push(best.label);
  }
  return placed;
}

interface Seat {
  readonly group: Group;
  readonly isFlipped: boolean;
}

/**
 * Near the right end a label stands left of its line; and so does one that would otherwise lie
 * under the lines of such labels while they lie under its own. In the order of placing.
 */
function seatsOf(groups: readonly Group[]): Seat[] {
  const right: Seat[] = [];
  const left: { seat: Seat; from: number; to: number }[] = [];
  for (const group of groups.toSorted((a, b) => b.x - a.x)) {
    const { x } = group;
    const width = labelOf({ group, isFlipped: false }, 0, 0, SHORT.columns).width;
    const isTangled = left.some(({ from, to }) => from < x && x + width > to);
    const isFlipped = x - width >= 0 && (x + width > WIDTH || isTangled);
    if (isFlipped) left.unshift({ seat: { group, isFlipped }, from: x - width, to: x });
    else right.push({ group, isFlipped });
  }
  return [...right, ...left.map(({ seat }) => seat)];
}

function isInside({ x, width }: Rect): boolean {
  return x >= 0 && x + width <= WIDTH;
}

function crosses(label: Label, other: Label): boolean {
  return overlaps(label, other.leader) || overlaps(label.leader, other);
}

/** In the order of preference. What broke may go deeper, so that it is never the one left out. */
function candidatesOf(seat: Seat, top: number): Label[] {
  const { tone } = seat.group.headline;
  const deepest = tone === "fault" || tone === "bad" ? GRAVE_ROWS : SHORT.rows;
  return [LONG, { ...SHORT, rows: deepest }].flatMap(({ columns, rows }) =>
    Array.from({ length: rows }, (_, row) => labelOf(seat, top, row, columns)),
  );
}

function labelOf({ group, isFlipped }: Seat, top: number, row: number, columns: number): Label {
  const { x, headline, events } = group;
  const many = events.length > 1 ? ` ×${events.length}` : "";
  const text = `${truncate(headline.label, columns)}${many}`;
  const width = columnsOf(text) * COLUMN + 2 * PADDING;
  const y = top + FIRST_ROW + row * ROW;
  return {
    text,
    tone: headline.tone,
    title: events.map((event) => event.text).join("\n"),
    x: isFlipped ? x - width : x,
    isFlipped,
    y,
    width,
    height: LABEL_HEIGHT,
    leader: { x: x - 1, y: top + BASELINE, width: 2, height: y - top - BASELINE },
  };
}

/** Width in columns of a lower-case letter: capitals are wider, and signs of the East twice. */
function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0x1100) columns += code >= 0x2000 && code < 0x2070 ? 1.4 : 2;
    else columns += /[MW@%mw]/.test(character) ? 1.5 : /\p{Lu}/u.test(character) ? 1.2 : 1;
  }
  return columns;
}

/** Whole multiples of 1, 2 or 5 times a power of ten that lie in the window. */
function tickSeconds({ from, to }: Span): number[] {
  const least = (to - from) / MOST_TICKS;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= least);
  if (!step || !Number.isFinite(step)) return [];
  const first = Math.ceil(from / step);
  const last = Math.floor(to / step);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) =>
    Number(((first + at) * step).toPrecision(12)),
  );
}
