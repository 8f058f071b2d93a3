import { Command, Option } from "commander";
import { interruptible } from "./interrupt.ts";
import { jsonOption, withEstateOptions } from "./options.ts";
import type { UpFlags } from "./up-run.ts";

export function upCommand(): Command {
  return withEstateOptions(new Command("up"))
    .description("start a whole estate on this machine and leave it running until Ctrl-C")
    .addOption(
      new Option("--sample", "the estate that comes with Tideover")
        .default(false)
        .conflicts("spec"),
    )
    .addOption(
      new Option("--free-ports", "run a copy of the spec on ports that are free now").default(
        false,
      ),
    )
    .addOption(jsonOption())
    .action((flags: UpFlags) =>
      interruptible(async (signal) => {
        const { up } = await import("./up-run.ts");
        await up(flags, signal);
      }),
    );
}
