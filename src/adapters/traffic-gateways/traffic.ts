import { z } from "zod";
import type { RegionName } from "../../model/ids.ts";
import type { SignedSnapshot } from "../../model/snapshot.ts";
import type { Probe, ProbeFailure, ProbeRequest, ProbeResponse } from "../../ports/probe.ts";
import type { Acknowledgement, Traffic } from "../../ports/traffic.ts";
import { GATEWAY_PATHS } from "../../wire/headers.ts";

export interface GatewayTrafficOptions {
  readonly probe: Probe;
  /** Base URL of each region's gateway. */
  readonly gateways: ReadonlyMap<RegionName, string>;
  /** For one exchange, in ms; 1,000 when absent. */
  readonly timeoutMs?: number;
}

const offerSchema = z.object({ number: z.int(), reason: z.string().optional() });
const statusSchema = z.object({
  number: z.int(),
  lastError: z.string().nullable(),
  sinceMs: z.number().optional(),
  release: z.string().optional(),
});

/** Tells and asks the gateways over their own API. Needs no secret: a snapshot is its own proof. */
export function createGatewayTraffic(options: GatewayTrafficOptions): Traffic {
  const { probe, gateways, timeoutMs = 1_000 } = options;

  async function exchange(
    region: RegionName,
    request: Omit<ProbeRequest, "url" | "timeoutMs"> & { readonly path: string },
  ): Promise<ProbeResponse | ProbeFailure> {
    const { path, ...rest } = request;
    const base = gateways.get(region);
    if (base === undefined) {
      return { answered: false, reason: `no gateway of ${region} is known`, tookMs: 0 };
    }
    return probe.exchange({ ...rest, url: `${base.replace(/\/+$/, "")}${path}`, timeoutMs });
  }

  return {
    async publish(region, snapshot: SignedSnapshot) {
      const request = { path: GATEWAY_PATHS.snapshot, method: "PUT", body: snapshot } as const;
      const answer = await exchange(region, request);
      // 409 is an answer as well: the gateway has a number that is as high, and says which.
      return read(answer, [200, 409], offerSchema, ({ number, reason }) => ({
        number,
        lastError: reason ?? null,
      }));
    },
    async acknowledged(region) {
      const answer = await exchange(region, { path: GATEWAY_PATHS.status });
      return read(answer, [200], statusSchema, said);
    },
  };
}

function said({ number, lastError, sinceMs, release }: z.infer<typeof statusSchema>) {
  return {
    ...{ number, lastError },
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(release === undefined ? {} : { release }),
  };
}

function read<T>(
  answer: ProbeResponse | ProbeFailure,
  statuses: readonly number[],
  schema: z.ZodType<T>,
  pick: (value: T) => Omit<Acknowledgement & { reachable: true }, "reachable">,
): Acknowledgement {
  if (!answer.answered) return { reachable: false, reason: answer.reason };
  const shown = `answered ${answer.status}: ${answer.body.replace(/\s+/g, " ").slice(0, 200)}`;
  if (!statuses.includes(answer.status)) return { reachable: false, reason: shown };
  const parsed = schema.safeParse(parseJson(answer.body));
  return parsed.success
    ? { reachable: true, ...pick(parsed.data) }
    : { reachable: false, reason: shown };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
