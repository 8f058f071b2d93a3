import type { Estate } from "../app/estate.ts";
import { freePortCopy } from "../app/free-ports.ts";
import { startLocalEstate } from "../app/local-estate.ts";
import { type EstateFlags, SAMPLE_SPEC, specifiedEstate } from "./options.ts";
import { paint, print, printJson, progress } from "./output.ts";

export interface UpFlags extends EstateFlags {
  readonly freePorts: boolean;
  readonly sample: boolean;
  readonly json: boolean;
}

export async function up(flags: UpFlags, signal: AbortSignal): Promise<void> {
  const named = specifiedEstate(flags.sample ? { ...flags, spec: SAMPLE_SPEC } : flags);
  const estate = flags.freePorts ? await freePortCopy(named) : named;
  progress(`tideover: starting estate ${estate.spec.estate}; its state is in ${estate.data.root}`);
  const local = await startLocalEstate(estate, { tell: (line) => progress(`  ${line}`), signal });
  try {
    if (flags.json)
      printJson({
        spec: estate.specPath,
        data: estate.data.root,
        processes: local.supervisor.processes(),
      });
    else for (const line of linesToTry(estate)) print(line);
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
  } finally {
    progress("tideover: stopping every process");
    await local.stop();
  }
}

/** What a newcomer can paste into another terminal. */
function linesToTry(estate: Estate): string[] {
  const gateways = Object.entries(estate.spec.regions);
  const [, gateway] = gateways.at(-1) ?? [];
  const [workflow] = Object.keys(estate.spec.workflows);
  const url = `http://${gateway?.gateway}`;
  const isSample = estate.spec.estate === "meridian";
  const key = isSample ? "tk-demo-acme" : "YOUR-API-KEY";
  const question = "How many days does a customer have to return goods?";
  return [
    "",
    paint("bold", `Estate ${estate.spec.estate} is up.`),
    ...gateways.map(([name, region]) => `  ${name.padEnd(10)} gateway http://${region.gateway}`),
    "",
    paint("bold", "Ask it (any gateway will do):"),
    `  curl ${url}/v1/chat/completions -H 'authorization: Bearer ${key}' -H 'content-type: application/json' \\`,
    `    -d '{"model":"${workflow}","messages":[{"role":"user","content":"${question}"}]}' -i`,
    "",
    paint("bold", "The official client:"),
    `  new OpenAI({ baseURL: "${url}/v1", apiKey: "${key}" })`,
    "",
    paint("bold", "In another terminal, in this folder:"),
    "  npx tideover status",
    `  npx tideover runbook ${workflow}`,
    "  npx tideover drill region-outage",
    "",
    "Ctrl-C stops every process.",
  ];
}
