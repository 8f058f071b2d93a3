import type { TimelineEvent } from "../../core/evidence/report.ts";

/** `bad`: something broke; `good`: something was proven or opened; `plain`: worth a name. */
export type Tone = "fault" | "bad" | "good" | "plain";

export interface Headline {
  /** Events of one lane that say the same close together are drawn under one label. */
  readonly label: string;
  readonly tone: Tone;
}

interface Rule {
  readonly kind: string;
  readonly pattern: RegExp;
  readonly tone: Tone;
  /** `$1` … are the pattern's groups. */
  readonly label: string;
}

/**
 * The sentences of the record that deserve a name in the picture, by their first words. A sentence
 * that fits none becomes a small mark: the list below the picture has all of them.
 */
const RULES: readonly Rule[] = [
  rule("verdict", /^(.+?) is failed: /, "bad", "$1 is failed"),
  rule("verdict", /^(.+?) is healthy: /, "good", "$1 is healthy"),
  rule("verdict", /^(.+?) is (degraded|unknown): /, "plain", "$1 is $2"),
  rule("plan", /^plan \S+: (\S+) of /, "plain", "$1 planned"),
  rule("plan", /^plan \S+ is completed: .* served by (.+)$/, "good", "completed in $1"),
  rule("plan", /^plan \S+ failed/, "bad", "plan failed"),
  rule("step", /^(.+?) is ready, /, "good", "$1 proven ready"),
  rule("step", /^a canary through .* was answered by (.+?) with /, "good", "traffic proven in $1"),
  rule("step", /^(\S+) failed: /, "bad", "$1 failed"),
  rule("step", /^(\S+) is put back: /, "bad", "$1 put back"),
  rule("snapshot", /^snapshot \d+: .+? is served by (.+?): /, "plain", "$1 opened"),
  rule("leadership", /^(.+ leads)\b/, "plain", "$1"),
  rule("request", / (\S+) of .+ is refused: /, "bad", "$1 refused"),
];

/** Kinds of the record; a reporter's own notes have other ones. */
const RECORDED = new Set([...RULES.map(({ kind }) => kind), "estate", "decision", "announcement"]);

/** What stands beside an event in the picture; null when it is one of the many. */
export function headlineOf({ kind, text }: TimelineEvent): Headline | null {
  // A reporter notes few things, and each because it is one that a reader looks for.
  if (!RECORDED.has(kind)) return { label: text, tone: noteTone(kind) };
  for (const { kind: wanted, pattern, tone, label } of RULES) {
    const found = kind === wanted ? pattern.exec(text) : null;
    if (found) return { tone, label: label.replace(/\$(\d)/g, (_, at) => found[at] ?? "") };
  }
  return null;
}

function noteTone(kind: string): Tone {
  if (kind === "fault") return "fault";
  return kind === "open" ? "good" : "plain";
}

function rule(kind: string, pattern: RegExp, tone: Tone, label: string): Rule {
  return { kind, pattern, tone, label };
}
