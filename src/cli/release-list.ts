import { Command, Option } from "commander";
import { type ListedRelease, listReleases } from "../app/release-list.ts";
import { withLayout } from "../app/release-places.ts";
import { readPublicKey } from "../config/release-key.ts";
import { jsonOption } from "./options.ts";
import { print, printJson, table } from "./output.ts";
import { lasting, readKeyFile } from "./release-sign.ts";

interface ListFlags {
  readonly key?: string[];
  readonly json: boolean;
}

export function releaseListCommand(): Command {
  return new Command("list")
    .description("the releases of an OCI layout: digest, tags, and who signed them")
    .argument("<layout>", "folder of the layout")
    .addOption(new Option("--key <file...>", "public keys that are trusted"))
    .addOption(jsonOption())
    .action(async (layout: string, { key = [], json }: ListFlags) => {
      const trust = key.map((file) => readPublicKey(readKeyFile(file), file));
      const releases = await withLayout(layout, (store) => listReleases(store, trust, Date.now()));
      if (json) return printJson(releases);
      if (releases.length === 0) return print(`no releases in ${layout}`);
      const rows = releases.map((one) => rowOf(one));
      for (const line of table([["RELEASE", "DIGEST", "TAGS", "SIGNED"], ...rows])) print(line);
    });
}

function rowOf({ name, version, digest, tags, fault, signature }: ListedRelease): string[] {
  const what = fault === null ? `${name} ${version}` : `BROKEN: ${fault}`;
  return [what, digest, tags.join(", "), signedText(signature)];
}

function signedText(signature: ListedRelease["signature"]): string {
  if (!signature.ok) return `no: ${signature.because}`;
  const number = signature.number === null ? "" : ` as number ${signature.number}`;
  return `by key ${signature.keyId}${number}, ${lasting(signature.expires)}`;
}
