import { answerParent } from "./thread-end.ts";

/** A thread that doubles numbers, and dies of 13 and of 14, each in its way. */
answerParent<number, number>(() => (question) => {
  if (question === 13) process.exit(7);
  if (question === 14) setImmediate(fail);
  return question * 2;
});

function fail(): never {
  throw new Error("out of luck");
}
