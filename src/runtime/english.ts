import { stem, words } from "../lib/text.ts";

/**
 * General English, written by hand: words that say little about what a text is about. The runtime
 * keeps no corpus, so it cannot count how rare a word is; this list is the stand-in. It holds no
 * word of a subject field, and nothing was counted from any test collection, because a list fitted
 * to one would make the retrieval figures a lie.
 */

/** Carry grammar only: they never count. */
const STOP_WORDS = `
a about above across after again against all almost along already also although always am among an
and another any anybody anyone anything are aren around as at away be became because become becomes
been before behind being below beside besides between beyond both but by can cannot could couldn did
didn do does doesn doing don done down during each either else etc even ever every everybody everyone
everything except few for from further had hadn has hasn have haven having he hence her here hers
herself him himself his how however i if in indeed instead into is isn it its itself just least less
let like likely ll may me might mine more moreover most much must my myself near neither never
nevertheless next no nobody none nor not nothing now of off often on once one only onto or other
others otherwise our ours ourselves out over own per perhaps please quite rather re really s same
shall she should shouldn since so some somebody someone something sometimes soon still such t than
that the their theirs them themselves then there therefore these they this those though through
throughout thus to together too toward towards under unless until up upon us very via was wasn we
well were weren what whatever when whenever where whereas wherever whether which while who whoever
whole whom whose why will with within without won would wouldn yes yet you your yours yourself
yourselves
`;

/** Everyday verbs, adjectives and measures, found in texts on anything: they count for a half. */
const FAINT_WORDS = `
able accord actual add allow amount anyway appear apply approach ask available base basic begin best
better big bring call case cause certain change clear close come common compare complete concern
condition consider consist contain continue correspond describe determine different difficult direct
discuss early easy effect eight end enough especially establish example exist expect explain fact
far feature fifth find first five follow form found four fourth full general get give given go good
great group half hand happen help high hold hour hundred idea important include increase indicate
individual involve issue keep kind know known large last late lead leave left level list little live
long look lot low main make many matter mean mention method million mind necessary need new nine
note number obtain occur old open order out page paper part particular past people place point
possible present previous problem provide purpose put question reach read reason recent regard
relate require respect result right said say second section see seek seem self sense set seven
several show side significant similar simple single six small sort special specific start state
stop study subject suggest suitable sure take talk tell ten term thing think third thousand three
time today topic total try turn twelve twenty two type understand use useful usual value various
want way week whatsoever work write year
`;

/** General and academic words that narrow a subject down a little: they count for
 * three quarters. */
const COMMON_WORDS = `
above-mentioned accept accompany account accurate achieve act action activity addition adequate
affect agree aid aim alone alternative analysis analyse analyze answer area arise article aspect
assess associate assume attempt attention author average avoid aware background become beginning
behaviour behavior belong benefit body book break brief broad build building business care carry
category centre center century certainly chance chapter characteristic check choose circumstance
claim class collect combine comment commonly company complex compute concept conclude conduct
connect consequence considerable constant context contrast contribute control convenient cost course
cover create current data date day deal decide decrease deep define degree demand demonstrate depend
derive design desire detail develop development device difference discover discussion distinct
distinguish divide document draw due earlier effective effort element emphasis employ enable ensure
enter entire equal equivalent essential estimate evaluate event evidence exact examine excellent
exhibit experience experiment experimental extend extent external extreme face factor fail fair fall
family familiar feel field figure fill final fine finish fit fix focus formal former forward free
frequent front function fundamental furthermore gain generate goal govern grow guide handle hard
head hear home house human identical identify illustrate image immediate impact implement imply
impossible improve inform information initial inside instance integral intend interest internal
interpret introduce introduction investigate investigation item job join judge key knowledge lack
largely latter law lay learn length letter lie life light limit line link literature local locate
logical lose loss maintain major majority man manage manner mark mass material maximum measure
measurement medium meet member merely minimum minor minute miss mode model modern modify moment month
move movement multiple name narrow nation natural nature negative normal notice novel object
objective observe obvious occasion offer office operate operation opinion opposite option ordinary
original outline outside overall pair parameter partial pass pattern pay perform performance period
permit person phase phenomenon physical picture plan play poor popular portion position positive
possess potential power practical practice precede precise predict prefer prepare presence press
pretty prevent primary principal principle prior probable procedure proceed process produce product
programme program progress project proper property propose proportion prove public publish pure
qualitative quality quantity quantitative quick range rapid rate ratio raw real realise realize
receive recognise recognize record reduce reduction refer reference reflect region regular relation
relationship relative relevant reliable remain remark remove repeat replace report represent
representation request research resource respond response responsible rest restrict review rise role
room rough round rule run sample satisfactory satisfy save scale scheme school science scientific
scope search select selection send separate sequence series serious serve service shape share short
sign simplify simultaneous situation size slight slow society solution solve source space speak
spread stage stand standard statement step strong structure style substantial succeed success
sufficient summary supply support suppose surround survey system table target task teach team
technical technique technology tend tendency test text theoretical theory top touch traditional
treat treatment trend trial true typical ultimate uniform unique unit unknown unusual usage user
valid variable variation variety vary verify version view visit volume wait walk watch wide wish
word world worth wrong
`;

export interface English {
  /**
   * How much a stem tells about the subject of a text: 0 for grammar, 0.5 and 0.75 for general
   * English, 1 for everything else.
   */
  readonly weightOf: (stemmed: string) => number;
  readonly isStopWord: (word: string) => boolean;
}

/** Builds the tables; a caller keeps the result, since building costs about a millisecond. */
export function generalEnglish(): English {
  const stop = new Set(words(STOP_WORDS));
  const weights = new Map<string, number>();
  for (const word of words(COMMON_WORDS)) weights.set(stem(word), 0.75);
  // Faint after common: a stem on both lists is the fainter one.
  for (const word of words(FAINT_WORDS)) weights.set(stem(word), 0.5);
  return {
    weightOf: (stemmed) => (stop.has(stemmed) ? 0 : (weights.get(stemmed) ?? 1)),
    isStopWord: (word) => stop.has(word),
  };
}
