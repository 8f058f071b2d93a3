import { Command } from "commander";
import { releaseActivateCommand } from "./release-activate.ts";
import { releaseBuildCommand } from "./release-build.ts";
import { releaseContinueCommand } from "./release-continue.ts";
import { releaseDiffCommand } from "./release-diff.ts";
import { releaseFingerprintCommand } from "./release-fingerprint.ts";
import { releaseKeygenCommand } from "./release-keygen.ts";
import { releaseListCommand } from "./release-list.ts";
import { releasePushCommand } from "./release-push.ts";
import { releaseRollbackCommand } from "./release-rollback.ts";
import { releaseSignCommand } from "./release-sign.ts";
import { releaseStatusCommand } from "./release-status.ts";
import { releaseVerifyCommand } from "./release-verify.ts";

export function releaseCommand(): Command {
  const group = new Command("release").description(
    "build, sign, verify and compare releases: model, prompts, routes and policies as one digest",
  );
  const commands = [
    releaseBuildCommand(),
    releaseFingerprintCommand(),
    releaseKeygenCommand(),
    releaseSignCommand(),
    releaseVerifyCommand(),
    releasePushCommand(),
    releaseDiffCommand(),
    releaseListCommand(),
    releaseActivateCommand(),
    releaseRollbackCommand(),
    releaseContinueCommand(),
    releaseStatusCommand(),
  ];
  for (const command of commands) group.addCommand(command);
  return group;
}
