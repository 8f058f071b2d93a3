import { type Acceptance, judgeAcceptance } from "../../core/reconcile/acceptance.ts";
import type { Finding } from "../../core/reconcile/scrub.ts";
import type { IndexFacts } from "../../model/index-health.ts";
import type { Ownership } from "../../model/intent.ts";
import { askOwner } from "../ask-owner.ts";
import type { LocalIndex } from "../local-index.ts";
import type { World } from "../world.ts";
import { IndexPeer } from "./ask.ts";
import { overlapShare, type Proofs } from "./proofs.ts";

/**
 * Whether a copy that was quarantined may answer again, after all its records were looked at
 * (`findings`) and its searches tried (`proofs`). Asks the owner what it can: one that is away, or
 * that this region itself is, proves nothing either way.
 */
export async function accept(
  world: World,
  local: LocalIndex,
  findings: readonly Finding[],
  proofs: Proofs,
): Promise<Acceptance> {
  const { store } = local;
  const ownership = world.book.of(local.name);
  const other = ownership === null || ownership.region === world.options.region ? null : ownership;
  const theirs = other === null ? NOBODY : await askTheOwner(world, local, other, proofs);
  return judgeAcceptance({
    own: await store.position(),
    sums: await store.sums([{ prefix: 0, bits: 0 }], 0),
    findings,
    owner: theirs.stands,
    recall: proofs.recall,
    overlap: theirs.overlap,
    golden: proofs.golden,
    canaries: proofs.canaries,
    facts: await store.facts(),
    ownerFacts: theirs.facts,
  });
}

const NOBODY = { stands: null, overlap: null, facts: null as IndexFacts | null };

async function askTheOwner(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  { questions }: Proofs,
) {
  const peer = new IndexPeer(world, ownership.region, local.name);
  const own = await local.store.position();
  const word = await askOwner(world, ownership, own.seq).catch(() => null);
  if (word === null) return NOBODY;
  // Where it stands now may be ahead; its log says what it was when it stood where we do.
  const { position } = word;
  const level = position.seq === own.seq;
  const stands = level
    ? { region: ownership.region, digest: position.digest, count: position.count }
    : null;
  const facts = await peer.facts().then(
    (answer) => answer.facts,
    () => null,
  );
  // Compared with a copy that is ahead, results would differ without anything being wrong.
  const overlap = level ? await overlapShare(local, peer, questions) : null;
  return { stands, overlap, facts };
}
