/**
 * Small total helpers over plain text: words, sentences, English stems. No locale, no
 * configuration and no state, so that two processes always cut the same text in the same way.
 */

const WORD = /[\p{L}\p{N}]+(?:['’]\p{L}+)?/gu;

/** Lower-cased words: runs of Unicode letters and digits; a possessive or contraction is cut off. */
export function words(text: string): string[] {
  // NFKC first: otherwise a full-width or ligature spelling of a word would be another word.
  const found = text.normalize("NFKC").toLowerCase().match(WORD) ?? [];
  return found.map((word) => word.replace(/['’]\p{L}+$/u, ""));
}

/**
 * The sentences of a text, trimmed, in order, none empty. A sentence ends at `.`, `!`, `?` or `…`
 * before white space, or at a line break, since a list item is its own statement.
 */
export function sentences(text: string): string[] {
  // Lines first: one pattern for both ends would try every start of a long run of white space.
  return text
    .split(/[\r\n]/)
    .flatMap((line) => line.trim().split(/(?<=[.!?…]["'”’)\]]?)\s+(?=[\p{Lu}\p{N}"'“‘([])/u))
    .map((sentence) => sentence.trim())
    .filter((sentence) => words(sentence).length > 0);
}

const MAX_WORD = 40;
const VOWEL_RUN = "[aeiouy][aeiou]*";
const CONSONANT_RUN = "[^aeiou][^aeiouy]*";
/** Porter's measures of the part before a suffix: at least one, exactly one, two or more. */
const MEASURE_SOME = new RegExp(`^(?:${CONSONANT_RUN})?${VOWEL_RUN}${CONSONANT_RUN}`);
const MEASURE_ONE = new RegExp(
  `^(?:${CONSONANT_RUN})?${VOWEL_RUN}${CONSONANT_RUN}(?:${VOWEL_RUN})?$`,
);
const MEASURE_MANY = new RegExp(
  `^(?:${CONSONANT_RUN})?${VOWEL_RUN}${CONSONANT_RUN}${VOWEL_RUN}${CONSONANT_RUN}`,
);
const HAS_VOWEL = new RegExp(`^(?:${CONSONANT_RUN})?[aeiouy]`);
const SHORT_SYLLABLE = new RegExp(`^${CONSONANT_RUN}[aeiouy][^aeiouwxy]$`);
const DOUBLE_END = /([^aeioulsz])\1$/;

type Rule = readonly [suffix: string, replacement: string];

/** Double suffixes become single ones. Longest first where one is the end of another. */
const DOUBLE_SUFFIXES: readonly Rule[] = [
  ["ational", "ate"],
  ["ization", "ize"],
  ["isation", "ize"],
  ["iveness", "ive"],
  ["fulness", "ful"],
  ["ousness", "ous"],
  ["tional", "tion"],
  ["biliti", "ble"],
  ["entli", "ent"],
  ["ousli", "ous"],
  ["ation", "ate"],
  ["alism", "al"],
  ["aliti", "al"],
  ["iviti", "ive"],
  ["enci", "ence"],
  ["anci", "ance"],
  ["izer", "ize"],
  ["iser", "ize"],
  ["alli", "al"],
  ["ator", "ate"],
  ["logi", "log"],
  ["bli", "ble"],
  ["eli", "e"],
];

const SINGLE_SUFFIXES: readonly Rule[] = [
  ["icate", "ic"],
  ["ative", ""],
  ["alize", "al"],
  ["alise", "al"],
  ["iciti", "ic"],
  ["ical", "ic"],
  ["ness", ""],
  ["ful", ""],
];

const LAST_SUFFIX =
  /^(.+?)(?:al|ance|ence|er|ic|able|ible|ant|ement|ment|ent|ou|ism|ate|iti|ous|ive|ize|ise)$/;

/**
 * The stem of a lower-case English word after Porter (1980): `relations`, `relational` and `relate`
 * meet in one stem. British spellings in -ise follow their -ize twins. Words of other alphabets and
 * words with digits come back unchanged, since the rules know nothing of them.
 */
export function stem(word: string): string {
  // No English word is this long, and the measures below slow down on endless runs of letters.
  if (word.length > MAX_WORD || word.length < 3 || !/^[a-z]+$/.test(word)) return word;
  // A leading y is a consonant; upper case keeps the vowel patterns from seeing it as a vowel.
  const start = word.startsWith("y") ? `Y${word.slice(1)}` : word;
  const singular = dropPlural(start);
  const bare = dropPastAndGerund(singular);
  const noun =
    bare.endsWith("y") && HAS_VOWEL.test(bare.slice(0, -1)) ? `${bare.slice(0, -1)}i` : bare;
  const single = replaceSuffix(replaceSuffix(noun, DOUBLE_SUFFIXES), SINGLE_SUFFIXES);
  return tidyEnd(dropLastSuffix(single)).toLowerCase();
}

function dropPlural(word: string): string {
  if (/(?:ss|i)es$/.test(word)) return word.slice(0, -2);
  return /[^s]s$/.test(word) ? word.slice(0, -1) : word;
}

function dropPastAndGerund(word: string): string {
  if (word.endsWith("eed")) return MEASURE_SOME.test(word.slice(0, -3)) ? word.slice(0, -1) : word;
  const cut = /^(.+?)(?:ed|ing)$/.exec(word)?.[1];
  if (cut === undefined || !HAS_VOWEL.test(cut)) return word;
  if (/(?:at|bl|iz)$/.test(cut)) return `${cut}e`;
  if (DOUBLE_END.test(cut)) return cut.slice(0, -1);
  return SHORT_SYLLABLE.test(cut) ? `${cut}e` : cut;
}

function replaceSuffix(word: string, rules: readonly Rule[]): string {
  const rule = rules.find(([suffix]) => word.endsWith(suffix));
  if (rule === undefined) return word;
  const before = word.slice(0, word.length - rule[0].length);
  return MEASURE_SOME.test(before) ? before + rule[1] : word;
}

function dropLastSuffix(word: string): string {
  const before = LAST_SUFFIX.exec(word)?.[1] ?? /^(.+[st])ion$/.exec(word)?.[1];
  return before !== undefined && MEASURE_MANY.test(before) ? before : word;
}

function tidyEnd(word: string): string {
  let end = word;
  if (end.endsWith("e")) {
    const before = end.slice(0, -1);
    const droppable =
      MEASURE_MANY.test(before) || (MEASURE_ONE.test(before) && !SHORT_SYLLABLE.test(before));
    if (droppable) end = before;
  }
  return end.endsWith("ll") && MEASURE_MANY.test(end) ? end.slice(0, -1) : end;
}
