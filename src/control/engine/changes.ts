import { type Decision, indexSubject } from "../../model/decision.ts";
import { KEYS } from "../../model/keys.ts";
import type { Verdict } from "../../model/verdict.ts";
import type { Fact, Write } from "./record.ts";

export interface Changes {
  /** What is new since the last write, as a write; null when nothing is. */
  since(verdicts: readonly Verdict[], decisions: readonly Decision[]): Write | null;
  /** The write happened. */
  written(verdicts: readonly Verdict[], decisions: readonly Decision[]): void;
  /** A new term begins: earlier leaders' words are not this one's. */
  forget(): void;
}

/**
 * Only changes go into the record. A verdict has changed when its health has; a decision, when its
 * sentence has, figures apart: "12 s of cool-down are left" is not news each quarter of a second.
 */
export function createChanges(): Changes {
  const health = new Map<string, string>();
  const sentences = new Map<string, string>();

  return {
    since(verdicts, decisions) {
      const news = verdicts.filter(
        (one) => tells(one) && (health.get(nameOf(one)) ?? "unknown") !== one.health,
      );
      const changed = decisions.filter((one) => sentences.get(one.workflow) !== shapeOf(one));
      if (news.length === 0 && changed.length === 0) return null;
      return {
        operations: changed.map((one) => ({ put: KEYS.decision(one.workflow), value: one })),
        facts: [...news.map(verdictFact), ...changed.filter(isNews).map(decisionFact)],
      };
    },
    written(verdicts, decisions) {
      for (const one of verdicts.filter(tells)) health.set(nameOf(one), one.health);
      for (const one of decisions) sentences.set(one.workflow, shapeOf(one));
    },
    forget() {
      health.clear();
      sentences.clear();
    },
  };
}

/**
 * That nobody can judge an index, or models, is said by the verdict on their region, or is over in a
 * moment. What was true of them before stays true until somebody knows better.
 */
function tells({ domain, index, health }: Verdict): boolean {
  return (index === undefined && domain !== "capacity-loss") || health !== "unknown";
}

/** That an index rests with its owner is what it is every day: only `status` is told. */
function isNews({ workflow, kind, domain }: Decision): boolean {
  return kind !== "hold" || domain !== null || !workflow.startsWith(indexSubject(""));
}

/** Counts and durations; never the figures in a name such as `eu-west-1`. */
const FIGURE = /(?<![\w-])\d+(?:\.\d+)?(?: (?:ms|s|min(?: \d+ s)?))?(?![\w-])/g;

/** A release that is bad after another one was is news, too. */
function nameOf({ domain, region, release = "", index = "", tenant = "" }: Verdict): string {
  return `${domain}/${region}/${release}/${index}/${tenant}`;
}

function shapeOf({ kind, from, to, because }: Decision): string {
  return JSON.stringify([kind, from, to, because.replace(FIGURE, "#")]);
}

function verdictFact(verdict: Verdict): Fact {
  const { health, because } = verdict;
  const text = `${subjectOf(verdict)} is ${health}: ${because}`;
  return { kind: "verdict", text, data: { verdict } };
}

function subjectOf({ domain, region, release, index, tenant }: Verdict): string {
  if (domain === "capacity-loss") return `model serving in ${region}`;
  if (release !== undefined) return `release ${release.slice(0, 19)} in ${region}`;
  if (index === undefined) return region;
  return `index ${index} in ${region}${tenant === undefined ? "" : ` for ${tenant}`}`;
}

function decisionFact(decision: Decision): Fact {
  const { kind, workflow, because } = decision;
  return {
    kind: "decision",
    workflow,
    text: `${kind} for ${workflow}: ${because}`,
    data: { decision },
  };
}
