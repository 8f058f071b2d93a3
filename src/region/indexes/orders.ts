import { refusalOf } from "../../core/reconcile/acceptance.ts";
import { describeFindings } from "../../core/reconcile/scrub.ts";
import { messageOf, TideoverError } from "../../lib/errors.ts";
import type { IndexProof, IndexVerification } from "../../model/index-verification.ts";
import type { LocalIndex } from "../local-index.ts";
import type { World } from "../world.ts";
import { accept } from "./accept.ts";
import { compareWith } from "./compare.ts";
import { referencePeer } from "./measure.ts";
import { cure, examine, quarantineFor } from "./tend.ts";

/**
 * A person's order to look at a whole copy now: every record, the searches, and the owner's sums. A
 * fault quarantines the copy as the loop would, which also goes on to cure it.
 */
export function verify(world: World, local: LocalIndex): Promise<IndexVerification> {
  return local.health.tending.run(async () => {
    const { clock } = world.options;
    const began = clock.monotonic();
    const { findings, fault } = await examine(world, local);
    if (fault !== null) await quarantineFor(world, local, fault);
    const compared = await compareAtLevel(world, local);
    return {
      region: world.options.region,
      index: local.name,
      position: await local.store.position(),
      standing: await local.store.standing(),
      fault,
      findings: findings.length === 0 ? null : describeFindings(findings),
      compared,
      tookMs: clock.monotonic() - began,
    };
  });
}

/**
 * Whether this copy would be accepted as the one that others follow: all that a repaired copy must
 * pass, of one that nothing may be wrong with. A fault quarantines it, as the loop would.
 */
export function proveNow(world: World, local: LocalIndex): Promise<IndexProof> {
  return local.health.tending.run(async () => {
    const { findings, fault, proofs } = await examine(world, local);
    if (fault !== null) await quarantineFor(world, local, fault);
    const acceptance = await accept(world, local, findings, proofs);
    const { kind } = await local.store.standing();
    const position = await local.store.position();
    const refusal = [
      ...(fault === null ? [] : [`${fault.kind}: ${fault.because}`]),
      ...(kind === "whole" ? [] : [`it is ${kind}`]),
      ...(acceptance.pass ? [] : [refusalOf(acceptance)]),
    ].join("; ");
    if (refusal !== "") return { accepted: false, position, because: refusal };
    const passed = acceptance.checks.map(({ name, evidence }) => `${name}: ${evidence}`);
    return { accepted: true, position, because: passed.join("; ") };
  });
}

/** Copies that are not at one position differ by what has yet to come, which is no fault. */
async function compareAtLevel(
  world: World,
  local: LocalIndex,
): Promise<IndexVerification["compared"]> {
  try {
    const peer = referencePeer(world, local);
    const most = 1_000;
    const before = await local.store.position();
    const found = await compareWith(world, local, peer, { most, whole: false });
    const theirs = await peer.position();
    const after = await local.store.position();
    const level = [after, theirs].every(({ seq }) => seq === before.seq);
    const { rounds, bytes, differing, tookMs } = found;
    return { with: peer.region, level, rounds, bytes, differing, tookMs, error: null };
  } catch (error) {
    return { ...NOT_COMPARED, error: messageOf(error) };
  }
}

const NOT_COMPARED = {
  with: null,
  level: false,
  rounds: 0,
  bytes: 0,
  differing: 0,
  tookMs: 0,
};

/** What came of an order to repair. */
export interface RepairResult {
  readonly cured: boolean;
  readonly because: string;
}

/**
 * A person's order to cure a copy now. Throws NOT_READY when there is nobody to repair it from: this
 * region owns it, or no owner is known.
 */
export function repairNow(world: World, local: LocalIndex): Promise<RepairResult> {
  const { region } = world.options;
  const owner = world.book.of(local.name)?.region;
  if (owner === undefined || owner === region) {
    const why = owner === undefined ? "nobody is known to own it" : "it owns the index itself";
    throw new TideoverError(`${region} cannot repair its copy of "${local.name}": ${why}`, {
      code: "NOT_READY",
      retry: "later",
      next: "Give the index to another region first (`tideover index move`): this copy is then repaired from it.",
    });
  }
  return local.health.tending.run(async () => {
    const { findings, fault } = await examine(world, local);
    const { kind } = await local.store.standing();
    if (fault === null && findings.length === 0 && kind === "whole") {
      return { cured: true, because: "nothing is wrong with it" };
    }
    if (fault !== null) await quarantineFor(world, local, fault);
    const acceptance = await cure(world, local);
    const said = local.health.cure ?? "nothing was wrong with it any more";
    if (acceptance.pass) return { cured: true, because: said };
    return { cured: false, because: `${said}; ${refusalOf(acceptance)}` };
  });
}
