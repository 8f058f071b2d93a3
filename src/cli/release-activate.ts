import { Command, Option } from "commander";
import type { ControlClient } from "../api/client.ts";
import type { Estate } from "../app/estate.ts";
import { findRelease } from "../app/find-release.ts";
import { TideoverError } from "../lib/errors.ts";
import { connect } from "./connect.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { progress } from "./output.ts";
import { type ChangeFlags, changeRelease } from "./release-change.ts";

interface ActivateFlags extends ChangeFlags {
  readonly acceptChanges: boolean;
}

export function releaseActivateCommand(): Command {
  return withEstateOptions(new Command("activate"))
    .description(
      "give every region another release: fetched and verified everywhere first, then region by region, each proven and baked before the next",
    )
    .argument(
      "<release>",
      "release FOLDER, LAYOUT, LAYOUT:TAG, LAYOUT@sha256:DIGEST, https://REGISTRY/REPO:TAG; or of a release that the estate knows its digest, version or NAME:VERSION",
    )
    .addOption(
      new Option("--accept-changes", "what doubled, shrank or is gone was meant").default(false),
    )
    .addOption(byOption())
    .addOption(timeoutOption("600"))
    .addOption(jsonOption())
    .action(async (text: string, flags: EstateFlags & ActivateFlags) => {
      const estate = runningEstate(flags);
      const control = connect(estate);
      const release = await knownDigest(control, text, { estate, by: flags.by ?? "operator" });
      const { acceptChanges } = flags;
      await changeRelease(control, { kind: "activate", release, acceptChanges }, flags);
    });
}

export function byOption(): Option {
  return new Option("--by <name>", "who decides, for the record").env("USER").default("operator");
}

export function timeoutOption(seconds: string): Option {
  return new Option("--timeout <seconds>", "how long to wait for the plan to end").default(seconds);
}

/** The digest that is meant, of a release that the estate knows by then. */
async function knownDigest(
  control: ControlClient,
  text: string,
  { estate, by }: { readonly estate: Estate; readonly by: string },
): Promise<string> {
  const named = await namedIn(control, text);
  if (named !== null) return named;
  const { digest, body, signatures = [], parts = {} } = await findRelease(text, estate);
  await control.makeKnown({ digest, body, signatures, parts }, by);
  progress(`tideover: the estate knows release ${body.name} ${body.version} (${digest})`);
  return digest;
}

/** A release that the estate knows, by its digest or the beginning of it, its version or its name. */
async function namedIn(control: ControlClient, text: string): Promise<string | null> {
  const { known } = await control.release();
  const found = known.filter(
    ({ digest, name, version }) =>
      (text.startsWith("sha256:") && digest.startsWith(text)) ||
      text === version ||
      text === `${name}:${version}`,
  );
  const [one, other] = found;
  if (other === undefined) return one?.digest ?? null;
  throw new TideoverError(`"${text}" may mean ${found.map(({ digest }) => digest).join(" or ")}`, {
    code: "USAGE",
    next: "Name the release by its whole digest.",
  });
}
