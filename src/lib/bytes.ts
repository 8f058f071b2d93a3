/** Writes a compact binary message: lengths and small numbers take one byte, large ones more. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  /** Whole, 0 to 2^53 - 1; seven bits a byte, the lowest first. */
  number(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.#byte((rest % 0x80) + 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.#byte(rest);
  }

  /** Without its length: the reader knows it. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Hexadecimal digits, two a byte, without their number. */
  hex(digits: string): this {
    this.#reserve(digits.length / 2);
    this.#length += this.#bytes.write(digits, this.#length, "hex");
    return this;
  }

  bytes(bytes: Uint8Array): this {
    return this.number(bytes.length).raw(bytes);
  }

  text(text: string): this {
    const length = Buffer.byteLength(text);
    this.number(length).#reserve(length);
    this.#length += this.#bytes.write(text, this.#length);
    return this;
  }

  get length(): number {
    return this.#length;
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
    return this;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Reads what a `ByteWriter` wrote. Throws RangeError where the message ends too early. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.#take(1)[0] ?? 0;
      value += (byte % 0x80) * scale;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number in the message has no end");
  }

  raw(length: number): Uint8Array {
    return Uint8Array.from(this.#take(length));
  }

  /** So many hexadecimal digits. */
  hex(digits: number): string {
    return this.#take(digits / 2).toString("hex");
  }

  bytes(): Uint8Array {
    return this.raw(this.number());
  }

  text(): string {
    return this.#take(this.number()).toString("utf8");
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("the message ends too early");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
