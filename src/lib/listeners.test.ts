import assert from "node:assert/strict";
import { test } from "node:test";
import { Listeners } from "./listeners.ts";

test("those who listen are told in the order in which they came, until they go", () => {
  const listeners = new Listeners<number>();
  const heard: string[] = [];
  const go = ["a", "b", "c", "d"].map((name) => listeners.add((n) => heard.push(name + n)));
  listeners.tell(1);
  go[1]?.();
  go[3]?.();
  go[3]?.();
  listeners.tell(2);
  go[0]?.();
  listeners.add((n) => heard.push(`e${n}`));
  go[2]?.();
  listeners.tell(3);
  assert.deepEqual(heard, ["a1", "b1", "c1", "d1", "a2", "c2", "e3"]);
});

test("who comes or goes while all are told changes nothing of that telling", () => {
  const listeners = new Listeners<number>();
  const heard: string[] = [];
  const goes = listeners.add((n) => {
    heard.push(`first${n}`);
    goes();
    laterGoes();
    listeners.add((m) => heard.push(`new${m}`));
  });
  const laterGoes = listeners.add((n) => heard.push(`later${n}`));
  listeners.tell(1);
  listeners.tell(2);
  assert.deepEqual(heard, ["first1", "later1", "new2"]);
});

test("one listener that listens twice is told twice, and goes one at a time", () => {
  const listeners = new Listeners<number>();
  let heard = 0;
  const listener = () => {
    heard += 1;
  };
  const go = listeners.add(listener);
  listeners.add(listener);
  listeners.tell(1);
  go();
  listeners.tell(2);
  assert.equal(heard, 3);
});
