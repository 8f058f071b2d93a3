import { unavailable } from "../../ledger/connection.ts";
import type { RestoreQuestion } from "./restore.ts";
import { unpackPage } from "./restore-page.ts";
import { abandon, RestoreWork } from "./restore-work.ts";
import { sqliteFile } from "./schema.ts";
import { answerParent } from "./thread-end.ts";

/** The entry of the thread that restores one index file (`restore.ts` starts it). */
answerParent<RestoreQuestion, null>((place) => {
  const file = sqliteFile(place, false);
  let work: RestoreWork | null = null;
  const current = (): RestoreWork => {
    if (work !== null) return work;
    throw unavailable(`the restore of index file ${place.path} was broken off`, "Restore again.");
  };
  return (question) => {
    file.use((connection) => {
      if (question.do === "start") work = new RestoreWork(connection, question.goal);
      else if (question.do === "load") current().load(connection, unpackPage(question.page));
      else if (question.do === "finish") current().finish(connection);
      else abandon(connection);
    });
    return null;
  };
});
