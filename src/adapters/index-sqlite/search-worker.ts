import type { IndexHit, IndexQuery } from "../../ports/index.ts";
import { indexFile } from "./index-file.ts";
import { search } from "./search.ts";
import { answerParent } from "./thread-end.ts";

/** The entry of the thread that searches one index file (`index.ts` starts it). */
answerParent<IndexQuery, IndexHit[]>((place) => {
  const file = indexFile(place, true);
  return (query) => file.use((connection) => search(connection, query));
});
