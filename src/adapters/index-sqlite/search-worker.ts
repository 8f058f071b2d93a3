import type { IndexHit, IndexQuery } from "../../ports/index.ts";
import { sqliteFile } from "./schema.ts";
import { search } from "./search.ts";
import { answerParent } from "./thread-end.ts";

/** The entry of the thread that searches one index file (`index.ts` starts it). */
answerParent<IndexQuery, IndexHit[]>((place) => {
  const file = sqliteFile(place, true);
  return (query) => file.use((connection) => search(connection, query));
});
