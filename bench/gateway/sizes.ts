/** How much is measured. Times in ms. */
export interface Sizes {
  readonly connections: number;
  readonly warmUpMs: number;
  /** Of requests as fast as they are answered, and of each rate: medians are told. */
  readonly rounds: number;
  readonly roundMs: number;
  /** Requests a second. */
  readonly rates: readonly number[];
  readonly rateMs: number;
  readonly streamsAtOnce: number;
  readonly streamsEach: number;
  readonly eventsEach: number;
  readonly eventGapMs: number;
  readonly held: number;
  /** 20 ms is 50 events a second. */
  readonly heldGapMs: number;
  readonly heldMs: number;
}

export const FULL: Sizes = {
  connections: 32,
  warmUpMs: 8_000,
  rounds: 5,
  roundMs: 3_000,
  rates: [1_000, 5_000],
  rateMs: 3_000,
  streamsAtOnce: 16,
  streamsEach: 40,
  eventsEach: 20,
  eventGapMs: 10,
  held: 1_000,
  heldGapMs: 20,
  heldMs: 5_000,
};

export const QUICK: Sizes = {
  ...FULL,
  warmUpMs: 6_000,
  rounds: 3,
  roundMs: 1_000,
  rateMs: 1_500,
  streamsEach: 8,
  held: 200,
  heldMs: 1_500,
};
