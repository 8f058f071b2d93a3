type Listener<T> = (value: T) => void;

interface Node<T> {
  readonly listener: Listener<T>;
  before: Node<T> | null;
  after: Node<T> | null;
  listens: boolean;
}

/**
 * Those who want to be told, in the order in which they came. A list of links and no `Set`: each
 * request listens for its duration, and a set that fills and empties all the time is made anew
 * again and again.
 */
export class Listeners<T> {
  #first: Node<T> | null = null;
  #last: Node<T> | null = null;

  /** Tells the listener of everything until the returned function is called. */
  add(listener: Listener<T>): () => void {
    const node: Node<T> = { listener, before: this.#last, after: null, listens: true };
    if (this.#last === null) this.#first = node;
    else this.#last.after = node;
    this.#last = node;
    return () => this.#remove(node);
  }

  /** Those who listen now. Who comes while they are told is not told, and who goes still is. */
  tell(value: T): void {
    const all: Listener<T>[] = [];
    for (let node = this.#first; node !== null; node = node.after) all.push(node.listener);
    for (const listener of all) listener(value);
  }

  #remove(node: Node<T>): void {
    if (!node.listens) return;
    node.listens = false;
    if (node.before === null) this.#first = node.after;
    else node.before.after = node.after;
    if (node.after === null) this.#last = node.before;
    else node.after.before = node.before;
    // One that has grown old and is dead would keep all that came after it from the collector.
    node.before = null;
    node.after = null;
  }
}
