import { incrementBy, put } from "../../../test/contract/store-cases.ts";
import { createSystemClock } from "../clock-system/clock.ts";
import { openSqliteStore } from "./store.ts";

/**
 * One operating-system process of the store's tests: `store.fixture.ts PATH increment KEY TIMES`,
 * or `store.fixture.ts PATH pairs`, which writes two equal values for ever and says each on stdout
 * once its commit has returned.
 */
const [path = "", task = "", key = "", times = "0"] = process.argv.slice(2);
const store = openSqliteStore({ path, clock: createSystemClock() });

if (task === "increment") {
  await incrementBy(store, key, Number(times));
  await store.close();
} else {
  for (let n = 1; ; n++) {
    // Large enough for many pages a commit, so that a kill can fall into the middle of one.
    const value = { n, fill: "x".repeat(20_000) };
    await store.commit({ compare: [], operations: [put("a", value), put("b", value)] });
    process.stdout.write(`${n}\n`);
  }
}
