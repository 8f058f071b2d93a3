/** A body of several pieces begins with so much room, and doubles it. */
const LEAST_ROOM = 16 * 1024;

/**
 * A body, put together from pieces that are lent for a moment. Most come as one, which is copied
 * once. Larger ones grow in one place, which malloc gives back to the system when it is freed: kept as
 * they came, in thousands of pieces with other things between them, bodies of megabytes leave the
 * process as large as they ever made it.
 */
export class Collected {
  #bytes: Buffer | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    const before = this.#length;
    this.#length += piece.length;
    if (this.#bytes === null) this.#bytes = Buffer.from(piece);
    else piece.copy(this.#withRoom(this.#bytes, before), before);
  }

  /** All of it. Nothing may be added afterwards. */
  whole(): Buffer {
    return (this.#bytes ?? Buffer.alloc(0)).subarray(0, this.#length);
  }

  #withRoom(bytes: Buffer, used: number): Buffer {
    if (this.#length <= bytes.length) return bytes;
    const room = Buffer.allocUnsafeSlow(Math.max(LEAST_ROOM, this.#length * 2));
    bytes.copy(room, 0, 0, used);
    this.#bytes = room;
    return room;
  }
}
