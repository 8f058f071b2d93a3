import { parseDuration } from "../model/units.ts";

/** What a script may do to the world; the world itself has this shape. */
export interface Stage {
  kill(name: string): void;
  stop(name: string): void;
  resume(name: string): void;
  loseModels(name: string): void;
  restoreModels(name: string): void;
  storeAnswers(reachable: boolean): void;
  readonly network: {
    cut(from: string, to: string): void;
    mend(from: string, to: string): void;
  };
  readonly clock: { jumpWall(ms: number): void };
}

export interface ScriptLine {
  readonly atMs: number;
  readonly act: (stage: Stage) => void;
}

const LINE = /^at (\d+(?:\.\d+)?) (ms|s|m) (\S+)(?: (\S+))?(?: (\S+))?$/;

/** The faults that a script knows, each with its cure beside it. */
const VERBS: Readonly<Record<string, (stage: Stage, one: string, other: string) => void>> = {
  kill: (stage, name) => stage.kill(name),
  stop: (stage, name) => stage.stop(name),
  resume: (stage, name) => stage.resume(name),
  "lose-models": (stage, name) => stage.loseModels(name),
  "restore-models": (stage, name) => stage.restoreModels(name),
  cut: (stage, from, to) => stage.network.cut(from, to),
  mend: (stage, from, to) => stage.network.mend(from, to),
  "store-away": (stage) => stage.storeAnswers(false),
  "store-back": (stage) => stage.storeAnswers(true),
  "jump-wall": (stage, by) => stage.clock.jumpWall(durationOf(by)),
};

/** One fault a line: `at 10 s kill eu-west`, `at 12 s cut c1 eu-west`, `at 5 s jump-wall -1h`. */
export function parseScript(text: string): ScriptLine[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map(parseLine);
}

function parseLine(line: string): ScriptLine {
  const [, amount = "", unit = "", verb = "", one = "", other = ""] = LINE.exec(line) ?? [];
  const act = VERBS[verb];
  const atMs = parseDuration(`${amount}${unit}`);
  if (act === undefined || atMs === undefined) throw new Error(`cannot read "${line}"`);
  return { atMs, act: (stage) => act(stage, one, other) };
}

function durationOf(text: string): number {
  const ms = parseDuration(text.replace(/^-/, ""));
  if (ms === undefined) throw new Error(`"${text}" is not a duration`);
  return text.startsWith("-") ? -ms : ms;
}
