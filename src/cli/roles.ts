import { availableParallelism } from "node:os";
import { Command, Option } from "commander";
import { runRole } from "../app/child.ts";
import type { Estate } from "../app/estate.ts";
import type { Role } from "../app/role.ts";
import { TideoverError } from "../lib/errors.ts";
import { MOST_WORKERS } from "../model/spec.ts";
import { type EstateFlags, specifiedEstate, withEstateOptions } from "./options.ts";
import { progress } from "./output.ts";

interface RoleFlags extends EstateFlags {
  readonly region: string;
  readonly target?: string;
  readonly workers?: string;
  readonly listen?: string;
}

/**
 * The program's roles, each as a process of its own: what runs on real machines. Each loads only
 * what it is made of: seven of them start together, often on a small machine.
 */
export function roleCommands(): Command[] {
  return [
    regional(
      "gateway",
      "run one region's gateway (the data plane; needs no controller to serve)",
      async (estate, flags) => {
        const { composeGateway } = await import("../app/gateway.ts");
        return composeGateway(estate, flags.region, workersOf(flags.workers));
      },
      gatewayEstate,
    ).addOption(
      new Option(
        "--workers <count>",
        `threads that answer, one a core: 1 to ${MOST_WORKERS} (default: the region's \`workers\` in the spec, else 1)`,
      ),
    ),
    regional(
      "agent",
      "run one region's agent (probes, replicates, answers readiness)",
      async (estate, flags) => {
        const { composeAgent } = await import("../app/agent.ts");
        return composeAgent(estate, flags.region);
      },
    ),
    regional(
      "runtime",
      "run one region's reference model runtime (weight-free; for estates without GPUs)",
      async (estate, flags) => {
        const { composeRuntime } = await import("../app/runtime.ts");
        return composeRuntime(estate, flags.region, flags.target);
      },
    ).addOption(
      new Option("--target <name>", "which runtime target (default: the first with `reference:`)"),
    ),
    withEstateOptions(new Command("controller"))
      .description("run one controller (several may run on one store; one leads)")
      .addOption(
        new Option("--listen <host:port>", "where its API listens (default: the spec's first)"),
      )
      .action(async (flags: RoleFlags) => {
        const estate = specifiedEstate(flags);
        const address = flags.listen ?? estate.spec.controllers[0];
        if (!address) throw noController(estate);
        const { composeController } = await import("../app/controller.ts");
        await serve("controller", () => composeController(estate, address));
      }),
  ];
}

/** A gateway of an estate with controllers must start when release and corpus are gone. */
function gatewayEstate(flags: EstateFlags): Estate {
  const estate = specifiedEstate(flags, "spec-only");
  return estate.spec.controllers.length > 0 ? estate : specifiedEstate(flags);
}

/** Undefined when none was given: the spec says it then. */
export function workersOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MOST_WORKERS) return count;
  throw new TideoverError(`--workers ${text} is no number of workers`, {
    code: "USAGE",
    next: `Give a whole number from 1 to ${MOST_WORKERS}: one a core, such as --workers ${Math.min(MOST_WORKERS, availableParallelism())} on this machine.`,
  });
}

type Compose = (estate: Estate, flags: RoleFlags) => Promise<Role>;

function regional(
  name: string,
  description: string,
  compose: Compose,
  open: (flags: EstateFlags) => Estate = specifiedEstate,
): Command {
  return withEstateOptions(new Command(name))
    .description(description)
    .requiredOption("-r, --region <name>", "which region")
    .action(async (flags: RoleFlags) => {
      const estate = open(flags);
      await serve(`${name} of ${flags.region}`, () => compose(estate, flags));
    });
}

async function serve(what: string, compose: () => Promise<Role>): Promise<void> {
  await runRole(compose, ({ url }) =>
    progress(`tideover: ${what} listens on ${url} (Ctrl-C stops it)`),
  );
  // Whatever still holds the event loop (an idle upstream connection) must not keep a stopped role.
  process.exit(0);
}

function noController(estate: Estate): TideoverError {
  return new TideoverError(`${estate.specPath} names no controllers`, {
    code: "USAGE",
    next: "Give --listen host:port, or add `controllers: [127.0.0.1:7100]` to the spec.",
  });
}
