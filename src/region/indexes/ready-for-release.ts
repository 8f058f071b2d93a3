import { refusalOf } from "../../core/reconcile/acceptance.ts";
import { answeredVersions, heldVersions } from "../../core/reconcile/vectors.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { VectorModel } from "../../model/vectors.ts";
import type { HeldRelease } from "../../ports/agents.ts";
import type { LocalIndex } from "../local-index.ts";
import { embeddingIn } from "../versions-in-use.ts";
import { activeModel, asVectorModel } from "../whole-writes.ts";
import type { World } from "../world.ts";
import { acceptVersion } from "./accept-version.ts";

/**
 * Whether this region's indexes answer what a release would ask them with, where that is another
 * embedding version than now: every record must have its vector, and the copy must have passed the
 * acceptance gate with it. What is activated is thereby what was proven, here.
 *
 * Not complete: it is on its way. Throws RELEASE_INVALID where it never comes by waiting.
 */
export async function readyForRelease(
  world: World,
  digest: string,
  timeoutMs: number,
): Promise<HeldRelease> {
  const embedding = await embeddingIn(world, digest);
  const model = embedding === undefined ? null : asVectorModel(embedding);
  if (model === null || model.version === activeModel(world)?.version) return NOTHING;
  const asked = retrieved(world);
  const words: string[] = [];
  for (const local of asked) {
    const held = await ready(world, local, model, timeoutMs / asked.length);
    if (!held.complete) return held;
    words.push(held.detail);
  }
  return { complete: true, detail: words.join("; ") };
}

const NOTHING: HeldRelease = { complete: true, detail: "" };

function retrieved(world: World): LocalIndex[] {
  const workflows = Object.values(world.options.spec.workflows);
  const names = new Set(workflows.map(({ retrieval }) => retrieval?.index));
  return [...world.indexes.values()].filter(({ name }) => names.has(name));
}

async function ready(
  world: World,
  local: LocalIndex,
  model: VectorModel,
  waitMs: number,
): Promise<HeldRelease> {
  const { version } = model;
  const held = await local.store.vectors();
  // Filled by whatever release is active, an empty index agrees with all.
  if (held.length === 0) return { complete: true, detail: `${local.name} is empty` };
  if (!answeredVersions(held).includes(version)) return lacking(world, local, held, version);
  const look = () => acceptVersion(world, local, model);
  const { clock } = world.options;
  const acceptance = await local.accepting.of(version, look, { clock, waitMs });
  if (acceptance === null) return later(`${local.name} is being proven as ${version}`);
  if (!acceptance.pass) return later(`${local.name} as ${version}: ${refusalOf(acceptance)}`);
  return { complete: true, detail: `${local.name} has passed its acceptance as ${version}` };
}

/** A replica follows; at the owner, somebody has to order it. */
function lacking(
  world: World,
  local: LocalIndex,
  held: Parameters<typeof heldVersions>[0],
  version: string,
): HeldRelease {
  const owns = world.book.of(local.name)?.region === world.options.region;
  const { building } = local.reindexing;
  const names = heldVersions(held).join(" and ");
  const because = `index ${local.name} is not yet whole as ${version}: it holds ${names}`;
  if (!owns || building?.version === version) return later(because);
  // In the message itself: of an agent's error, that is what a plan shows.
  throw new TideoverError(
    `${because}; run \`tideover index reindex --index ${local.name} --release\` with this release first`,
    { code: "RELEASE_INVALID", next: "Searches go on meanwhile; activate the release afterwards." },
  );
}

function later(detail: string): HeldRelease {
  return { complete: false, detail };
}
