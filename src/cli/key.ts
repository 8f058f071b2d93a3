import { Command } from "commander";
import { newApiKey } from "../app/keys.ts";
import { sha256 } from "../lib/canonical.ts";
import { TideoverError } from "../lib/errors.ts";
import { nameSchema } from "../model/spec.ts";
import { jsonOption } from "./options.ts";
import { print, printJson } from "./output.ts";

export function keyCommand(): Command {
  return new Command("key")
    .description("make an API key for a tenant, and the hash that goes into the spec")
    .argument("<tenant>", "name of the tenant, as in the spec")
    .addOption(jsonOption())
    .action((tenant: string, flags: { json: boolean }) => {
      requireName(tenant);
      const key = newApiKey(tenant);
      const hash = sha256(key);
      if (flags.json) return printJson({ tenant, key, hash });
      print(`key   ${key}`);
      print(`hash  ${hash}`);
      print(`\nGive the key to ${tenant}; it is stored nowhere. Put the hash into the spec:`);
      print(`tenants:\n  ${tenant}:\n    keys:\n      - ${hash}`);
    });
}

/** The name becomes part of the key: with a blank in it, no gateway could read the header. */
function requireName(tenant: string): void {
  const judged = nameSchema.safeParse(tenant);
  if (judged.success) return;
  throw new TideoverError(`"${tenant}" ${judged.error.issues[0]?.message}`, {
    code: "USAGE",
    next: "Give the tenant's name as it stands in the spec.",
  });
}
