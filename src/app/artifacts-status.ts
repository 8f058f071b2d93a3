import { z } from "zod";
import { createHttpProbe } from "../adapters/probe-http/probe.ts";
import { type ArtifactStatus, artifactStatusSchema } from "../model/artifact-status.ts";
import { AGENT_PATHS } from "../wire/headers.ts";
import { type Estate, keysOf } from "./estate.ts";

const ASK_MS = 5_000;

export interface ArtifactsOfRegion {
  readonly region: string;
  /** null when its agent did not say. */
  readonly status: ArtifactStatus | null;
  readonly error: string | null;
}

/** What every region has of its artifacts, as its agent says it; a silent one is in the list, too. */
export async function askArtifacts(estate: Estate): Promise<ArtifactsOfRegion[]> {
  const probe = createHttpProbe();
  const { token } = keysOf(estate);
  try {
    return await Promise.all(
      Object.entries(estate.spec.regions).map(async ([region, { agent }]) => {
        if (agent === undefined) return silent(region, "the spec gives it no agent");
        const answer = await probe.exchange({
          url: `http://${agent}${AGENT_PATHS.artifacts}`,
          headers: { authorization: `Bearer ${token}` },
          timeoutMs: ASK_MS,
        });
        if (!answer.answered) return silent(region, answer.reason);
        const status = parsed(answer.body);
        return status ? { region, status, error: null } : silent(region, `${answer.status}`);
      }),
    );
  } finally {
    await probe.close();
  }
}

function silent(region: string, reason: string): ArtifactsOfRegion {
  return { region, status: null, error: `its agent did not answer: ${reason}` };
}

function parsed(body: string): ArtifactStatus | null {
  const json = z.string().transform((text, ctx) => {
    try {
      return JSON.parse(text);
    } catch {
      ctx.addIssue("no JSON");
      return z.NEVER;
    }
  });
  return json.pipe(artifactStatusSchema).safeParse(body).data ?? null;
}
