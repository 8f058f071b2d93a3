/**
 * How strongly counts speak against chance, such that one may look as often as one likes.
 *
 * A canary is looked at several times a second until something is decided. A p-value is good for one
 * look that was fixed beforehand; at a hundred looks a 1 % test is wrong far more often than 1 %. So
 * evidence is counted as odds instead: what a gambler would have, who began with 1 and staked on
 * "more than a share of p are bad" at each observation, at odds that are fair when a share of p is.
 * Against a house that pays fairly nobody gets rich: the probability that the gambler *ever* holds k
 * times the stake is at most 1/k (Ville's inequality), however often the purse is looked at and
 * whenever one stops. The stake is spread evenly over all shares above p, which needs no guess of
 * how bad a bad release is, and has a closed form.
 */

/**
 * Natural logarithm of the odds that more than a share of `most` of all observations are bad, when
 * `bad` of `all` were. `most` strictly between 0 and 1.
 */
export function logOdds(bad: number, all: number, most: number): number {
  const good = all - bad;
  const spread = logBeta(bad + 1, good + 1) + logUpperTail(most, bad + 1, good + 1);
  const fair = Math.log1p(-most) + bad * Math.log(most) + good * Math.log1p(-most);
  return spread - fair;
}

/**
 * A share that the true share of bad ones does not exceed, but for a probability of `miss`, at all
 * looks together. 1 when nothing was observed.
 */
export function upperBound(bad: number, all: number, miss: number): number {
  if (all === 0) return 1;
  const wanted = -Math.log(miss);
  // "At most a share of p is bad" is "more than 1 - p are good": the same bet from the other side.
  const isRefuted = (share: number): boolean => logOdds(all - bad, all, 1 - share) >= wanted;
  let [low, high] = [bad / all, 1];
  for (let step = 0; step < 24; step += 1) {
    const middle = (low + high) / 2;
    if (isRefuted(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Exact probability of so many heads or more among `flips` of a fair coin: the sign test's p. */
export function signTest(heads: number, flips: number): number {
  if (heads <= 0) return 1;
  return Math.exp(logUpperTail(0.5, flips - heads + 1, heads));
}

/** Logarithm of the probability that a Beta(a, b) variable is above x. */
function logUpperTail(x: number, a: number, b: number): number {
  const front = a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b);
  // The continued fraction converges fast only on its own side of the mean; the other is 1 minus it.
  if (x > (a + 1) / (a + b + 2)) return front + Math.log(fraction(1 - x, b, a) / b);
  const lower = Math.exp(front + Math.log(fraction(x, a, b) / a));
  return Math.log1p(-Math.min(lower, 1 - Number.EPSILON));
}

const TINY = 1e-300;
const MOST_TERMS = 10_000;

/** Lentz's continued fraction of the incomplete beta function. */
function fraction(x: number, a: number, b: number): number {
  const safe = (value: number): number => (Math.abs(value) < TINY ? TINY : value);
  let c = 1;
  let d = 1 / safe(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m <= MOST_TERMS; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / safe(1 + even * d);
    c = safe(1 + even / c);
    result *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / safe(1 + odd * d);
    c = safe(1 + odd / c);
    const step = d * c;
    result *= step;
    if (Math.abs(step - 1) < 1e-13) break;
  }
  return result;
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** Stirling's series, from where three terms of it are good for 12 digits. */
function logGamma(x: number): number {
  let shifted = x;
  let below = 0;
  for (; shifted < 16; shifted += 1) below += Math.log(shifted);
  const square = shifted * shifted;
  const series = (1 / 12 - (1 / 360 - 1 / (1_260 * square)) / square) / shifted;
  return (shifted - 0.5) * Math.log(shifted) - shifted + Math.log(2 * Math.PI) / 2 + series - below;
}
