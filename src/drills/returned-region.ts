import { z } from "zod";
import { indexStateSchema } from "../model/signal.ts";
import { AGENT_PATHS, HEADERS } from "../wire/headers.ts";
import { ask, clientFor } from "./load.ts";
import { ingest } from "./pipeline.ts";
import type { FencingFindings, IndexComparison } from "./region-outage-checks.ts";
import { MOVE_TIMEOUT_MS, type Scope } from "./scope.ts";
import { until } from "./wait.ts";
import type { DrillWorld } from "./world.ts";

const ASK_TIMEOUT_MS = 2_000;
/** The agent may add what this version does not know. */
const stateSchema = z.object(indexStateSchema.shape);
type IndexState = z.infer<typeof stateSchema>;

/** How an index stands in a region, asked of its agent. Throws when that does not answer. */
export async function indexState(
  world: Pick<DrillWorld, "probe" | "spec" | "token">,
  region: string,
  index: string,
): Promise<IndexState> {
  const answer = await world.probe.exchange({
    url: `http://${world.spec.regions[region]?.agent}${AGENT_PATHS.index(index)}`,
    headers: { authorization: `Bearer ${world.token}` },
    timeoutMs: ASK_TIMEOUT_MS,
  });
  if (!answer.answered) throw new Error(`agent of ${region}: ${answer.reason}`);
  return stateSchema.parse(JSON.parse(answer.body));
}

/**
 * What the region that came back does with its old beliefs: its gateway must not answer by itself,
 * its agent must not take a change, and its indexes must come level with the region that took over.
 */
export async function examineReturned(world: DrillWorld, scope: Scope): Promise<FencingFindings> {
  // What the store says of the region may be from before its death: only newer proof counts.
  const since = world.clock.now();
  const answeredBy = await askReturned(world, scope);
  const refusal = await writeToReturned(world, scope);
  const indexes = await awaitLevel(world, scope);
  const readiness = await awaitReady(world, scope, since);
  return { scope, answeredBy, refusal, indexes, readiness };
}

/** One request per workflow to the gateway that was dead; the region that answered it. */
async function askReturned(
  world: DrillWorld,
  scope: Scope,
): Promise<FencingFindings["answeredBy"]> {
  const gateway = `http://${world.spec.regions[scope.victim]?.gateway}`;
  const found: { workflow: string; region: string | null; detail: string }[] = [];
  for (const workflow of scope.workflows) {
    const question = world.questions.find((one) => one.workflow === workflow);
    const key = question && world.keys.get(question.tenant);
    if (!question || !key) continue;
    const outcome = await ask(clientFor(gateway, key), question, false, world);
    found.push({
      workflow,
      region: outcome.region,
      detail: `${outcome.result}, ${HEADERS.region}: ${outcome.region}`,
    });
  }
  return found;
}

/** A change handed to the old owner must be refused; null when no index had moved. */
async function writeToReturned(
  world: DrillWorld,
  scope: Scope,
): Promise<FencingFindings["refusal"]> {
  const [index] = movedIndexes(scope);
  if (!index) return null;
  const result = await ingest(
    world.probe,
    { agent: `http://${world.spec.regions[scope.victim]?.agent}`, index, token: world.token },
    [{ op: "delete", id: "drill-heartbeat", sourceTime: world.clock.now() }],
  );
  return result.ok
    ? { refused: false, detail: `it accepted change ${result.position.seq}` }
    : { refused: true, detail: `${result.status ?? "no answer"}: ${result.detail}` };
}

async function awaitLevel(world: DrillWorld, scope: Scope): Promise<IndexComparison[]> {
  return until(
    `${scope.victim} to come level`,
    async () => {
      const compared: IndexComparison[] = [];
      for (const index of movedIndexes(scope)) {
        const returned = await indexState(world, scope.victim, index);
        if (returned.ownerPosition === null || returned.lagMs > maxLag(world, index)) return null;
        compared.push({
          index,
          returned: returned.position,
          lagMs: returned.lagMs,
          maxLagMs: maxLag(world, index),
          orphans: returned.orphans,
        });
      }
      return compared;
    },
    { clock: world.clock, timeoutMs: MOVE_TIMEOUT_MS, signal: world.signal },
  );
}

/**
 * The agent proves its region again, through the data path, before anyone may move back. Only proof
 * that is newer than `since` (wall clock) counts.
 */
export async function awaitReady(
  world: DrillWorld,
  scope: Pick<Scope, "victim" | "workflows">,
  since: number,
): Promise<FencingFindings["readiness"]> {
  return until(
    `${scope.victim} to be proven ready`,
    async () => {
      const { workflows } = await world.control.status();
      const standbys = workflows
        .filter(({ workflow }) => scope.workflows.includes(workflow))
        .map(({ workflow, standbys }) => ({
          workflow,
          standby: standbys.find(({ region }) => region === scope.victim),
        }));
      const unready = standbys.find(
        ({ standby }) => standby?.ready !== true || (standby.at ?? 0) < since,
      );
      if (unready)
        throw new Error(`${unready.workflow}: ${unready.standby?.because ?? "no standby"}`);
      return standbys.map(({ workflow, standby }) => ({
        workflow,
        ready: standby?.ready === true,
        because: standby?.because ?? "",
      }));
    },
    { clock: world.clock, timeoutMs: MOVE_TIMEOUT_MS, signal: world.signal },
  );
}

function movedIndexes(scope: Scope): string[] {
  return scope.before.ownerships
    .filter(({ region }) => region === scope.victim)
    .map(({ index }) => index);
}

function maxLag(world: DrillWorld, index: string): number {
  return world.spec.indexes[index]?.maxLag ?? 0;
}
