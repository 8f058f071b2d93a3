import { diverged } from "../core/reconcile/follow.ts";
import type { Position } from "../model/position.ts";
import { LEAF_BITS } from "../model/record.ts";
import { hexOf, NO_SUM, plus, type Sum } from "./sum.ts";

const LEAVES = 2 ** LEAF_BITS;
const WORDS = 4;

/**
 * Sums of all leaves while a million records are loaded, in words of 32 bits, the lowest last:
 * big integers would cost a tenth of the load's time.
 */
export class LeafSums {
  readonly #words = new Uint32Array(LEAVES * WORDS);
  readonly #counts = new Uint32Array(LEAVES);
  #count = 0;

  /** How many records were added. */
  get count(): number {
    return this.#count;
  }

  /** `digest`: 16 bytes. */
  add(rangeKey: number, digest: Buffer): void {
    const leaf = rangeKey >>> (32 - LEAF_BITS);
    this.#count += 1;
    this.#counts[leaf] = (this.#counts[leaf] ?? 0) + 1;
    let carry = 0;
    for (let word = WORDS - 1; word >= 0; word--) {
      const at = leaf * WORDS + word;
      const sum = (this.#words[at] ?? 0) + digest.readUInt32BE(word * 4) + carry;
      this.#words[at] = sum;
      carry = sum > 0xffff_ffff ? 1 : 0;
    }
  }

  /** By node (see `leafNode`), those that have records. */
  leaves(): Map<number, Sum> {
    const found = new Map<number, Sum>();
    for (const [leaf, count] of this.#counts.entries()) {
      if (count > 0) found.set(LEAVES + leaf, { count, sum: this.#sumOf(leaf) });
    }
    return found;
  }

  #sumOf(leaf: number): bigint {
    const words = this.#words.subarray(leaf * WORDS, (leaf + 1) * WORDS);
    return words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
  }

  /** Throws INDEX_DIVERGED unless what was added is what the position says. */
  judge({ seq, digest, count }: Position): void {
    const { sum } = [...this.leaves().values()].reduce(plus, NO_SUM);
    if (this.#count === count && hexOf(sum) === digest) return;
    throw diverged(`the snapshot's ${this.#count} records do not sum up to seq ${seq}`);
  }
}
