const encoder = new TextEncoder();

/** A text, or null, in shared memory; what does not fit is left out at its end. */
export class SharedText {
  /** Length in bytes and one more; 0 for null. */
  readonly #length: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  /** Takes `size` bytes from `at`, a multiple of 4. */
  constructor(memory: SharedArrayBuffer, at: number, size: number) {
    this.#length = new Int32Array(memory, at, 1);
    this.#bytes = new Uint8Array(memory, at + 4, size - 4);
  }

  get isNull(): boolean {
    return Atomics.load(this.#length, 0) === 0;
  }

  get(): string | null {
    const length = Atomics.load(this.#length, 0) - 1;
    // Copied: no decoder reads memory that may change under it.
    return length < 0 ? null : Buffer.from(this.#bytes.slice(0, length)).toString("utf8");
  }

  set(text: string | null): void {
    if (text === null) return void Atomics.store(this.#length, 0, 0);
    const bytes = new Uint8Array(this.#bytes.length);
    // Writes whole characters only.
    const { written } = encoder.encodeInto(text, bytes);
    this.#bytes.set(bytes);
    Atomics.store(this.#length, 0, written + 1);
  }
}
