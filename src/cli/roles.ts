import { Command, Option } from "commander";
import { runRole } from "../app/child.ts";
import type { Estate } from "../app/estate.ts";
import type { Role } from "../app/role.ts";
import { TideoverError } from "../lib/errors.ts";
import { type EstateFlags, specifiedEstate, withEstateOptions } from "./options.ts";
import { progress } from "./output.ts";

interface RoleFlags extends EstateFlags {
  readonly region: string;
  readonly target?: string;
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
        return composeGateway(estate, flags.region);
      },
      gatewayEstate,
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
