import { sentences, stem, words } from "../lib/text.ts";
import type { PromptDocument } from "../wire/documents.ts";
import type { English } from "./english.ts";

/**
 * Choosing sentences out of given material. Nothing is composed: an answer that says something
 * wrong can be traced to the sentence that says so.
 */

export interface Extract {
  readonly sentence: string;
  /** The id of the document that holds it. */
  readonly source: string;
}

interface Candidate extends Extract {
  readonly terms: ReadonlySet<string>;
  /** Terms of the title and of a question just before: what the sentence is the answer to. */
  readonly headingTerms: ReadonlySet<string>;
  /** Place of its document, 0 first: the gateway lists the best match first. */
  readonly rank: number;
}

interface Scored {
  readonly candidate: Candidate;
  readonly score: number;
  /** The part of the question's weight that the sentence and its heading speak of, 0 to 1. */
  readonly coverage: number;
}

/** A heading's word counts half: the whole document is about it, not this sentence in particular. */
const HEADING_WEIGHT = 0.5;
/** Below this share of the question, a sentence only happens to contain one of its words. */
const MIN_COVERAGE = 0.2;
/** A second sentence must come this near to the best one, or it is padding. */
const MIN_SECOND = 0.4;
/** Lost per place down the list of documents, so that equal sentences follow the retrieval order. */
const RANK_LOSS = 0.03;
/** A sentence of this many words scores half as much as its words earn. */
const HALF_LENGTH = 80;

/**
 * The one or two sentences that best answer a question, best first; empty when none is about it.
 * Rare words weigh more, rarity being counted within the material itself.
 */
export function bestSentences(
  question: string,
  documents: readonly PromptDocument[],
  english: English,
  limit: number,
): Extract[] {
  const candidates = documents.flatMap((document, rank) => candidatesOf(document, rank, english));
  const weights = questionWeights(termsOf(question, english), candidates, english);
  const scored = candidates
    .map((candidate) => scoreOf(candidate, weights))
    .filter(({ coverage }) => coverage >= MIN_COVERAGE)
    // The sort is stable: equal scores keep the order of the documents, so answers never waver.
    .sort((a, b) => b.score - a.score);
  const least = (scored[0]?.score ?? 0) * MIN_SECOND;
  return distinct(scored.filter(({ score }) => score >= least)).slice(0, limit);
}

/** The sentences nearest to what a text keeps saying, in the order of the text. */
export function centralSentences(text: string, english: English, limit: number): string[] {
  const all = statementsOf(text).map((sentence, place) => ({ sentence, place }));
  const counts = new Map<string, number>();
  for (const word of words(text)) {
    if (!english.isStopWord(word)) counts.set(stem(word), (counts.get(stem(word)) ?? 0) + 1);
  }
  const centrality = (sentence: string): number => {
    const terms = [...termsOf(sentence, english)];
    const sum = terms.reduce(
      (total, term) => total + Math.log1p(counts.get(term) ?? 0) * english.weightOf(term),
      0,
    );
    // The root lies between the sum, which favours long sentences, and the mean, short ones.
    return sum / Math.sqrt(terms.length || 1);
  };
  return all
    .map((item) => ({ ...item, score: centrality(item.sentence) }))
    .sort((a, b) => b.score - a.score || a.place - b.place)
    .slice(0, limit)
    .sort((a, b) => a.place - b.place)
    .map(({ sentence }) => sentence);
}

/** Sentences that state something: not questions, and not the line that announces a text. */
export function statementsOf(text: string): string[] {
  return sentences(text).filter((sentence) => !/[?:]$/.test(sentence));
}

function candidatesOf(document: PromptDocument, rank: number, english: English): Candidate[] {
  const found: Candidate[] = [];
  const titleTerms = termsOf(document.title, english);
  let asked: ReadonlySet<string> = new Set();
  for (const sentence of sentences(document.text)) {
    const terms = termsOf(sentence, english);
    // "How long is it? Two weeks." A question answers nothing, but says what the next line is about.
    if (sentence.endsWith("?")) {
      asked = terms;
      continue;
    }
    const headingTerms = new Set([...titleTerms, ...asked]);
    found.push({ sentence, source: document.id, terms, headingTerms, rank });
    asked = new Set();
  }
  return found;
}

function termsOf(text: string, english: English): Set<string> {
  return new Set(
    words(text)
      .filter((word) => !english.isStopWord(word))
      .map(stem),
  );
}

function questionWeights(
  terms: ReadonlySet<string>,
  candidates: readonly Candidate[],
  english: English,
): Map<string, number> {
  const weights = new Map<string, number>();
  for (const term of terms) {
    const holders = candidates.filter((candidate) => candidate.terms.has(term)).length;
    const rarity = Math.log1p(candidates.length / (1 + holders));
    weights.set(term, rarity * (english.weightOf(term) || 1));
  }
  return weights;
}

function scoreOf(candidate: Candidate, weights: ReadonlyMap<string, number>): Scored {
  let own = 0;
  let heading = 0;
  let whole = 0;
  for (const [term, weight] of weights) {
    whole += weight;
    if (candidate.terms.has(term)) own += weight;
    else if (candidate.headingTerms.has(term)) heading += weight;
  }
  const length = 1 + candidate.terms.size / HALF_LENGTH;
  const place = 1 - RANK_LOSS * Math.min(candidate.rank, 10);
  const score = ((own + heading * HEADING_WEIGHT) / length) * place;
  return { candidate, score, coverage: whole === 0 ? 0 : (own + heading) / whole };
}

function distinct(scored: readonly Scored[]): Extract[] {
  const bySentence = new Map<string, Extract>();
  for (const { candidate } of scored) {
    const { sentence, source } = candidate;
    // Two documents may hold the same line; saying it twice tells nothing more.
    if (!bySentence.has(sentence)) bySentence.set(sentence, { sentence, source });
  }
  return [...bySentence.values()];
}
