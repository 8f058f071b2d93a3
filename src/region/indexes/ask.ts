import { z } from "zod";
import { decodeRecords } from "../../core/reconcile/record-wire.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { IndexName, RegionName } from "../../model/ids.ts";
import { indexFactsSchema } from "../../model/index-health.ts";
import { type Position, positionSchema } from "../../model/position.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { Probe } from "../../ports/probe.ts";
import { AGENT_PATHS } from "../../wire/headers.ts";
import { askJson } from "../peer.ts";
import type { World } from "../world.ts";
import type { ProofQuestion } from "./proof-question.ts";

/** Bytes in base64, with where the copy stood when they were read. */
export const framedSchema = z.object({ at: positionSchema, data: z.base64() });

/** Ids in one question for records. */
export const MOST_IDS = 500;

/** The agent of another region, asked about its copy of one index; its bytes are counted. */
export class IndexPeer {
  readonly region: RegionName;
  /** Bytes of the bodies sent and received so far; HTTP's own headers come on top. */
  bytes = 0;
  readonly #world: World;
  readonly #index: IndexName;
  readonly #probe: Probe;

  constructor(world: World, region: RegionName, index: IndexName) {
    this.region = region;
    this.#world = world;
    this.#index = index;
    this.#probe = { exchange: (request) => this.#counted(request) };
  }

  /** Throws PEER_UNAVAILABLE, as do all others. */
  compare(question: Uint8Array): Promise<z.infer<typeof framedSchema>> {
    const body = { question: Buffer.from(question).toString("base64") };
    return this.#ask(AGENT_PATHS.compare(this.#index), body, framedSchema);
  }

  /** The records that it has of these, as it holds them now. */
  async records(ids: readonly string[]): Promise<StoredRecord[]> {
    const records: StoredRecord[] = [];
    let open = [...ids];
    while (open.length > 0) {
      const asked = open.slice(0, MOST_IDS);
      const body = { ids: asked };
      const page = await this.#ask(AGENT_PATHS.records(this.#index), body, recordsSchema);
      records.push(...decodeRecords(Buffer.from(page.data, "base64")));
      // It says how many of the ids it has dealt with: those that it lacks are not sent.
      open = open.slice(Math.max(1, page.asked));
    }
    return records;
  }

  /** Ids that its own search gives, best first; null when its copy answers nobody now. */
  async results({ vector, ...query }: ProofQuestion): Promise<readonly string[] | null> {
    const { embedding, audiences, labels = [], k } = query;
    const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
    const body = { vector: bytes.toString("base64"), embedding, audiences, labels, k };
    const { ids } = await this.#ask(AGENT_PATHS.results(this.#index), body, resultsSchema);
    return ids;
  }

  async position(): Promise<Position> {
    return (await this.#ask(AGENT_PATHS.index(this.#index), undefined, positionAnswer)).position;
  }

  facts() {
    return this.#ask(AGENT_PATHS.facts(this.#index), undefined, factsSchema);
  }

  async #ask<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T> {
    const base = this.#world.agentUrl(this.region);
    if (base === null) {
      throw new TideoverError(`the spec gives ${this.region} no agent to compare with`, {
        code: "PEER_UNAVAILABLE",
        next: "Add `agent: host:port` to that region.",
      });
    }
    return askJson(this.#probe, {
      url: `${base}${path}`,
      headers: { authorization: `Bearer ${this.#world.options.token}` },
      ...(body === undefined ? {} : { method: "POST" as const, body }),
      timeoutMs: LONGEST_MS,
      schema,
      who: `the agent of ${this.region}`,
    });
  }

  async #counted(request: Parameters<Probe["exchange"]>[0]) {
    if (request.body !== undefined) this.bytes += JSON.stringify(request.body).length;
    const answer = await this.#world.options.probe.exchange(request);
    if (answer.answered) this.bytes += Buffer.byteLength(answer.body);
    return answer;
  }
}

/** A peer reads its sums or records from a disk that others read as well. */
const LONGEST_MS = 10_000;

const recordsSchema = framedSchema.extend({ asked: z.int() });
const positionAnswer = z.object({ position: positionSchema });
const resultsSchema = z.object({ ids: z.array(z.string()).nullable() });
const factsSchema = z.object({ facts: indexFactsSchema });
