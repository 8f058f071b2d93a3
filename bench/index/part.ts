/** What a part of the index benchmark is given. */
export interface IndexBench {
  /** A folder of its own for files, deleted afterwards. */
  readonly folder: string;
  /** true: a tenth of the records, for a look. */
  readonly quick: boolean;
  /** Progress, for whoever waits. */
  readonly tell: (line: string) => void;
  /** Results, for people. */
  readonly print: (text: string) => void;
}

/** Measures, prints, and gives what stands in the line of JSON. */
export type Part = (bench: IndexBench) => Promise<object>;
