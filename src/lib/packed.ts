/**
 * Values one after the other in bytes, for what is too large for JSON: numbers little-endian, texts
 * and bytes behind their length. Who reads must ask in the order in which was written.
 */
export class PackedWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(capacity = 65_536) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#at;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#at = this.#bytes.writeUInt8(value, this.#at);
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  /** As UTF-8. Throws TypeError on a lone surrogate, which UTF-8 cannot say. */
  text(text: string): void {
    if (!text.isWellFormed()) throw new TypeError("text with a lone surrogate cannot be packed");
    // Three bytes are the most that one UTF-16 unit can take.
    this.#reserve(4 + text.length * 3);
    const size = this.#bytes.write(text, this.#at + 4, "utf8");
    this.#bytes.writeUInt32LE(size, this.#at);
    this.#at += 4 + size;
  }

  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** Without a length: the reader knows how many there are. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A copy of what was written; writing may go on behind it. */
  take(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  #reserve(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** Reads what a PackedWriter wrote. Throws RangeError where the bytes end too early. */
export class PackedReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    const value = this.#bytes.readUInt8(this.#at);
    this.#at += 1;
    return value;
  }

  u32(): number {
    const value = this.#bytes.readUInt32LE(this.#at);
    this.#at += 4;
    return value;
  }

  f64(): number {
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  text(): string {
    const size = this.u32();
    const from = this.#skip(size);
    return this.#bytes.toString("utf8", from, from + size);
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    return this.raw(this.u32());
  }

  raw(size: number): Uint8Array {
    const from = this.#skip(size);
    return this.#bytes.subarray(from, from + size);
  }

  #skip(size: number): number {
    if (size > this.left) throw new RangeError(`${size} bytes wanted, ${this.left} are left`);
    const from = this.#at;
    this.#at += size;
    return from;
  }
}
