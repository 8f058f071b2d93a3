import { join } from "node:path";
import { Command, Option } from "commander";
import type { DemoFlags } from "./demo-run.ts";
import { interruptible } from "./interrupt.ts";
import { jsonOption } from "./options.ts";

export function demoCommand(): Command {
  return new Command("demo")
    .description("start the sample estate, kill its serving region under load, watch it recover")
    .addOption(
      new Option("--report <folder>", "where the report goes").default(
        join(".tideover", "demo-report"),
      ),
    )
    .addOption(new Option("--keep", "keep the estate's files and logs afterwards").default(false))
    .addOption(jsonOption())
    .action((flags: DemoFlags) =>
      interruptible(async (signal) => {
        const { demo } = await import("./demo-run.ts");
        await demo(flags, signal);
      }),
    );
}
