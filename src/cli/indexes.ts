import { Command } from "commander";
import { indexIngestCommand } from "./index-ingest.ts";
import { indexMoveCommand } from "./index-move.ts";
import { indexReindexCommand } from "./index-reindex.ts";
import { indexRepairCommand } from "./index-repair.ts";
import { indexRestoreCommand } from "./index-restore.ts";
import { indexSnapshotCommand } from "./index-snapshot.ts";
import { indexStatusCommand } from "./index-status.ts";
import { indexTailCommand } from "./index-tail.ts";
import { indexVerifyCommand } from "./index-verify.ts";
import { indexWatermarkCommand } from "./index-watermark.ts";

export function indexCommand(): Command {
  return new Command("index")
    .description(
      "work on the vector indexes: what is in them, how they stand, whether they are whole",
    )
    .addCommand(indexIngestCommand())
    .addCommand(indexWatermarkCommand())
    .addCommand(indexStatusCommand())
    .addCommand(indexVerifyCommand())
    .addCommand(indexRepairCommand())
    .addCommand(indexMoveCommand())
    .addCommand(indexTailCommand())
    .addCommand(indexSnapshotCommand())
    .addCommand(indexRestoreCommand())
    .addCommand(indexReindexCommand());
}
