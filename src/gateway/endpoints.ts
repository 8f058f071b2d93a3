import { signedSnapshotSchema } from "../model/snapshot.ts";
import type { Call, Handler, WholeAnswer } from "./chain/call.ts";
import { retrieving } from "./chain/embedding.ts";
import { unknownWorkflow } from "./chain/locate.ts";
import { json, refuse } from "./chain/refuse.ts";
import type { Inbound } from "./http/inbound.ts";
import type { Tools } from "./options.ts";
import { mergedDamage } from "./targets/damage.ts";
import { troublesOf } from "./targets/troubles.ts";
import { lowestNumber, mergedOutcomes, mergedWindows, type Whole } from "./together.ts";

/** Far above any estate's snapshot; only a bound, so that nobody fills the memory. */
const MAX_SNAPSHOT_BYTES = 16 * 1024 * 1024;

/** `/healthz`: this process lives. Says nothing about whether it could answer anybody. */
export function health(tools: Tools): WholeAnswer {
  return json(200, { status: "ok", region: tools.region });
}

/** `/readyz`: 200 when it can serve, with what is wrong nevertheless under `degraded`. */
export async function ready(tools: Tools): Promise<WholeAnswer> {
  const { snapshots, region } = tools;
  if (snapshots.current() === null) {
    const because = snapshots.lastError ?? "no snapshot was adopted yet";
    return json(503, { ready: false, region, because });
  }
  const whole = await tools.together.look();
  const refused =
    snapshots.lastError === null ? [] : [`a newer snapshot was refused: ${snapshots.lastError}`];
  const degraded = [...degradedBy(whole), ...refused];
  return json(200, { ready: true, region, snapshot: lowestNumber(whole), degraded });
}

function degradedBy(whole: Whole): string[] {
  const missing = whole.seats.filter(({ state }) => state !== "up");
  const workers = missing.map(({ worker, state }) => `worker ${worker} is ${state}`);
  const failing = whole.parts.some(({ auditFailures }) => auditFailures.newestFailed);
  const total = auditFailuresOf(whole);
  const audit = `audit records are not kept (${total} so far); they are in the process log`;
  return failing ? [audit, ...workers] : workers;
}

function auditFailuresOf({ parts }: Whole): number {
  return parts.reduce((sum, { auditFailures }) => sum + auditFailures.total, 0);
}

/**
 * `/tideover/v1/status`: what an agent reports of its gateway. `number` is the lowest that any of
 * its workers serves, `sinceMs` the youngest one's age of it.
 */
export async function status(tools: Tools): Promise<WholeAnswer> {
  const { snapshots, region } = tools;
  const whole = await tools.together.look();
  const { parts, seats } = whole;
  const targets = tools.targets.outcomes();
  return json(200, {
    region,
    number: lowestNumber(whole),
    sinceMs: Math.min(...parts.map(({ sinceMs }) => sinceMs), Math.round(snapshots.sinceMs)),
    lastError: snapshots.lastError,
    release: snapshots.current()?.releaseDigest ?? "none",
    releaseSinceMs: Math.round(snapshots.releaseSinceMs),
    targets,
    troubles: [
      ...troublesOf(targets, snapshots.current(), region),
      ...mergedDamage(parts.map(({ damaged }) => damaged)),
    ],
    retries: tools.retries.traffic(),
    indexes: mergedOutcomes(parts.map(({ indexes }) => indexes)),
    outcomes: mergedWindows(parts.map(({ outcomes }) => outcomes)),
    auditFailures: auditFailuresOf(whole),
    ...(seats.length === 0 ? {} : { workers: seats }),
  });
}

export async function metricsPage({ together, metrics }: Tools): Promise<WholeAnswer> {
  const headers = { "content-type": metrics.registry.contentType };
  const body = await together.metricsPage();
  return { kind: "whole", status: 200, headers, body, facts: {} };
}

/** GET: the snapshot as it was signed, for peers. */
export function currentSnapshot({ snapshots }: Tools): WholeAnswer {
  const signed = snapshots.signed();
  if (signed !== null) return json(200, signed);
  const message = "This gateway has no signed snapshot to give.";
  return refuse({ status: 404, code: "no_snapshot", message });
}

/** PUT: 200 when it was adopted, 409 with the reason and the present number when not. */
export async function offerSnapshot(tools: Tools, request: Inbound): Promise<WholeAnswer> {
  const body = await request.readBody(MAX_SNAPSHOT_BYTES);
  const parsed = signedSnapshotSchema.safeParse(
    body.kind === "whole" ? parseJson(body.bytes.toString("utf8")) : undefined,
  );
  if (!parsed.success) {
    const message = "The body is not a signed snapshot: { payload, keyId, signature }.";
    return refuse({ status: 400, code: "invalid_snapshot", message });
  }
  const offer = await tools.snapshots.offer(parsed.data);
  if (!offer.adopted) tools.logger.warn(offer, "a snapshot was refused");
  return json(offer.adopted ? 200 : 409, offer);
}

/** `/v1/models`: whatever may be asked for as `model`. Behind `authenticate`. */
export function models(): Handler {
  return async ({ snapshot }) => {
    const data = modelNames(snapshot).map((name) => modelEntry(snapshot, name));
    return json(200, { object: "list", data });
  };
}

export function model(name: string): Handler {
  return async ({ snapshot }) =>
    modelNames(snapshot).includes(name)
      ? json(200, modelEntry(snapshot, name))
      : refuse(unknownWorkflow(name, snapshot.workflows));
}

/** The workflows, and the embedding that those which retrieve do it with. */
function modelNames(snapshot: Call["snapshot"]): string[] {
  const workflows = Object.keys(snapshot.workflows);
  const embedding = retrieving(snapshot).length === 0 ? undefined : snapshot.release?.embedding?.id;
  return embedding === undefined || workflows.includes(embedding)
    ? workflows
    : [...workflows, embedding];
}

function modelEntry(snapshot: Call["snapshot"], id: string) {
  const created = Math.floor(snapshot.issuedAt / 1_000);
  return { id, object: "model", created, owned_by: snapshot.estate };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
