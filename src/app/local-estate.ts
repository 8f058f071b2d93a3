import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { createHttpProbe } from "../adapters/probe-http/probe.ts";
import { ControlClient } from "../api/client.ts";
import { loadCorpus } from "../config/load-corpus.ts";
import { ingest } from "../drills/pipeline.ts";
import { indexState } from "../drills/returned-region.ts";
import { until } from "../drills/wait.ts";
import { TideoverError } from "../lib/errors.ts";
import type { SourceChange, SourceDocument } from "../model/change.ts";
import type { Position } from "../model/position.ts";
import { corpusOf, type Estate, keysOf } from "./estate.ts";
import { Faults } from "./faults.ts";
import { IndexFaults } from "./index-faults.ts";
import { signsItself } from "./own-key.ts";
import { signedHere } from "./own-releases.ts";
import { Supervisor } from "./supervisor.ts";
import { serveSupervisor } from "./supervisor-api.ts";

const SETTLE_MS = 60_000;
const INGEST_BATCH = 100;

/** A whole estate on this machine, up and filled. */
export interface LocalEstate {
  readonly supervisor: Supervisor;
  readonly faults: Faults;
  readonly control: ControlClient;
  stop(): Promise<void>;
}

export interface LocalEstateOptions {
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Starts every process of an estate, fills its indexes from the corpus that the spec names, and
 * waits until each workflow is served. Whatever fails, or an abort, stops all that was started.
 */
export async function startLocalEstate(
  estate: Estate,
  { tell, signal }: LocalEstateOptions,
): Promise<LocalEstate> {
  const keys = keysOf(estate);
  // Before any agent looks for something to copy.
  if (signsItself(estate) && estate.release) await signedHere(estate, estate.release.built);
  const supervisor = await Supervisor.start(estate, {
    signal,
    onDeath: (name, how) => tell(`${name} died (${how})`),
  });
  const faults = new Faults(supervisor, estate.data);
  const indexFaults = new IndexFaults(estate);
  const { estate: name, controllers } = estate.spec;
  const control = new ControlClient({ estate: name, controllers, token: keys.token });
  let api: { close(): void } | null = null;
  const stop = async (): Promise<void> => {
    faults.disarm();
    indexFaults.disarm();
    api?.close();
    await supervisor.stop();
  };
  try {
    api = await serveSupervisor(
      supervisor,
      { regions: faults, indexes: indexFaults },
      estate,
      keys.token,
    );
    tell(`${supervisor.processes().length} processes run; filling the indexes`);
    await fillIndexes(estate, control, keys.token, { tell, signal });
    await served(control, signal);
    return { supervisor, faults, control, stop };
  } catch (error) {
    await stop();
    throw signal.aborted ? interrupted() : error;
  }
}

/**
 * Fills the indexes that are still empty from the corpus that the spec names. What holds documents
 * already is left alone: a pipeline may have brought newer ones than the corpus has.
 */
async function fillIndexes(
  estate: Estate,
  control: ControlClient,
  token: string,
  { tell, signal }: LocalEstateOptions,
): Promise<void> {
  for (const index of Object.keys(estate.spec.indexes)) {
    const corpus = corpusOf(estate, index);
    if (!corpus) continue;
    const held = await documentsIn(estate, control, token, index, signal);
    if (held > 0) {
      tell(`${index}: holds ${held} documents already`);
      continue;
    }
    const documents = loadCorpus(corpus);
    await ingestDocuments(estate, control, token, { index, documents, signal });
    tell(`${index}: ${documents.length} documents ingested`);
  }
}

/** How many documents an index holds where it is owned, as soon as its agent can say. */
async function documentsIn(
  { spec }: Estate,
  control: Pick<ControlClient, "status">,
  token: string,
  index: string,
  signal: AbortSignal,
): Promise<number> {
  const probe = createHttpProbe();
  try {
    return await until(
      `the owner of ${index} to say what it holds`,
      async () => {
        const { ownerships } = await control.status();
        const owner = ownerships.find((one) => one.index === index)?.region;
        if (owner === undefined) return null;
        return (await indexState({ probe, spec, token }, owner, index)).position.count;
      },
      { clock: createSystemClock(), timeoutMs: SETTLE_MS, signal },
    );
  } finally {
    await probe.close();
  }
}

export interface IngestOptions {
  readonly index: string;
  readonly documents: readonly SourceDocument[];
  readonly signal: AbortSignal;
}

/**
 * Hands a whole source to the index's owner, and vouches for it: what is not in these documents was
 * not in the source when this began. Throws what `sendChanges` throws.
 */
export function ingestDocuments(
  estate: Estate,
  control: Pick<ControlClient, "status">,
  token: string,
  { index, documents, signal }: IngestOptions,
): Promise<Sent | null> {
  const watermark = { op: "watermark" as const, sourceTime: createSystemClock().now() };
  const upserts = documents.map((document) => ({ op: "upsert" as const, document }));
  return sendChanges(estate, control, token, { index, changes: [...upserts, watermark], signal });
}

export interface SendOptions {
  readonly index: string;
  readonly changes: readonly SourceChange[];
  readonly signal: AbortSignal;
}

/** Where the index stands behind what was sent. */
export interface Sent {
  readonly position: Position;
  /** The same as a request asks for it, with its proof. */
  readonly minPosition?: string;
}

/**
 * Hands changes to the index's owner, in batches, each of them again until the owner has it (a
 * change that is applied twice is the same change). Gives the position behind the last of them.
 * Throws when the owner refuses a batch for good.
 */
export async function sendChanges(
  estate: Estate,
  control: Pick<ControlClient, "status">,
  token: string,
  { index, changes: all, signal }: SendOptions,
): Promise<Sent | null> {
  const probe = createHttpProbe();
  const clock = createSystemClock();
  let reached: Sent | null = null;
  try {
    for (let from = 0; from < all.length; from += INGEST_BATCH) {
      const changes = all.slice(from, from + INGEST_BATCH);
      const result = await until(
        `the owner of ${index} to take changes`,
        async () => {
          const { ownerships } = await control.status();
          const owner = ownerships.find((one) => one.index === index)?.region;
          const agent = owner && estate.spec.regions[owner]?.agent;
          if (!agent) return null;
          const result = await ingest(probe, { agent: `http://${agent}`, index, token }, changes);
          if (result.ok) return result;
          if (result.status === 400 || result.status === 413) throw refused(index, result.detail);
          throw new Error(result.detail);
        },
        { clock, timeoutMs: SETTLE_MS, signal },
      );
      const { position, minPosition } = result;
      reached = { position, ...(minPosition === undefined ? {} : { minPosition }) };
    }
    return reached;
  } finally {
    await probe.close();
  }
}

async function served(control: ControlClient, signal: AbortSignal): Promise<void> {
  await until(
    "every workflow to be served",
    async () => {
      const { leader, snapshot, workflows, regions } = await control.status();
      // 0 is a gateway that lives and has none yet: its callers would be told to come back.
      const acknowledged = regions.every(
        ({ gatewaySnapshot }) => snapshot !== null && (gatewaySnapshot ?? 0) >= snapshot,
      );
      const all = workflows.every(({ serving }) => serving.length > 0);
      return leader !== null && acknowledged && all ? true : null;
    },
    { clock: createSystemClock(), timeoutMs: SETTLE_MS, signal },
  );
}

function refused(index: string, detail: string): TideoverError {
  return new TideoverError(`${index} refused changes: ${detail}`, { code: "CORPUS_INVALID" });
}

function interrupted(): TideoverError {
  return new TideoverError("interrupted; everything that was started is stopped", {
    code: "INTERRUPTED",
  });
}
