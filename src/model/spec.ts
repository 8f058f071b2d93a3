import { z } from "zod";
import { adoptSchema } from "./adopt.ts";
import { artifactsSpecSchema } from "./artifact-spec.ts";
import { continuationSpecSchema, deliverySchema } from "./continuation.ts";
import { componentSchema, degradedModeSchema, failureDomainSchema } from "./domain.ts";
import { freshnessSpecSchema, stalePolicySchema } from "./freshness.ts";
import { indexEngineShape } from "./index-engine.ts";
import { scrubSpecSchema } from "./index-scrub-spec.ts";
import { probeSchema } from "./probe.ts";
import { reflexSpecSchema } from "./reflex.ts";
import { PLAIN_RELEASE, type ReleaseSpec, releaseSpecSchema } from "./release-spec.ts";
import { replicationSchema } from "./replication.ts";
import { durationSchema, sizeSchema } from "./units.ts";

/**
 * `tideover.yaml`: what an estate is and what each workflow was promised. Judged once, then frozen
 * (config/). This file says only the shape of each part; what must agree between parts (a workflow
 * names a region that exists, nothing depends on itself) is judged in config/spec-rules.ts, where
 * the line and column are known.
 */

// An error text reads `<what is wrong>; write <what to write instead>`: config/ shows the value and
// the place before it, and takes the second half as its advice.
// `constructor` is kept out because every JavaScript object has a member of that name: looking it up
// in a record would find something that no spec has written.
export const nameSchema = z
  .string()
  .regex(
    /^(?!constructor$)[a-z][a-z0-9-]{0,62}$/,
    "is no name; write lower-case letters, digits and dashes, a letter first, at most 63",
  );

/** `127.0.0.1:7101` or `host.name:443`: where a role listens, and where others reach it. */
const addressSchema = z
  .string()
  .regex(/^[A-Za-z0-9.-]+:\d{1,5}$/, "is no address; write host:port, such as 127.0.0.1:7110")
  .meta({ examples: ["127.0.0.1:7110"] });

const urlSchema = z
  .url({
    protocol: /^https?$/,
    error: "is no web address; write a URL such as http://127.0.0.1:8000",
  })
  .meta({ examples: ["http://127.0.0.1:8000"] });

const runtimeTargetSchema = z.strictObject({
  name: nameSchema.describe("Name of this target within its region."),
  url: urlSchema.describe("Base URL of an OpenAI-compatible server, without /v1."),
  model: z
    .string()
    .min(1)
    .meta({ description: "Model id to send to this target.", examples: ["my-model"] }),
  keyEnv: z
    .string()
    .regex(
      /^[A-Z_][A-Z0-9_]*$/,
      "is no variable name; write the name of an environment variable, such as OPENAI_API_KEY",
    )
    .optional()
    .describe(
      "Environment variable that holds the target's API key. The key itself is never in the spec.",
    ),
  continuation: continuationSpecSchema.optional(),
  probe: probeSchema.optional(),
  reference: z
    .strictObject({
      modelDigest: z
        .string()
        .regex(
          /^sha256:[0-9a-f]{8,64}$/,
          "is no digest; write sha256: and 8 to 64 hexadecimal digits",
        )
        .meta({
          description: "Digest of the model artifact that it answers as.",
          examples: ["sha256:0a1b2c3d"],
        }),
      quantization: z
        .enum(["none", "fp8", "int8", "int4"])
        .default("none")
        .describe("How its weights are stored: shows in log-probabilities, not in words."),
      embeddingSalt: z
        .string({ error: "is no text; write it in quotes" })
        .default("")
        .describe("Acts as the version of its embedding model."),
      tokenDelay: durationSchema
        .prefault("0ms")
        .describe("Pause before each token, to look like a model that thinks."),
    })
    .optional()
    .describe("Given: `tideover up` starts the reference runtime at this URL, with this model."),
});

const needsSchema = z
  .array(componentSchema)
  .default([])
  .describe("Components of this region that this one cannot work without.");

const componentsSchema = z.strictObject({
  runtime: z
    .strictObject({
      targets: z
        .array(runtimeTargetSchema)
        .min(1)
        .describe("Servers that run the model, tried in this order."),
      needs: needsSchema,
    })
    .describe("What runs the model."),
  index: z
    .strictObject({
      ...indexEngineShape,
      needs: needsSchema,
    })
    .optional()
    .describe("Keeps this region's copy of every index."),
  pipeline: z
    .strictObject({ needs: needsSchema })
    .optional()
    .describe("Takes changes of documents in and writes them to the index."),
  telemetry: z
    .strictObject({
      audit: z.enum(["file"]).describe("Where audit records are written."),
      needs: needsSchema,
    })
    .optional()
    .describe("Where the audit record of every request goes."),
  secrets: z
    .strictObject({
      env: z.array(z.string()).describe("Environment variables that must be set in this region."),
      needs: needsSchema,
    })
    .optional()
    .describe("What must be known to this region but never stands in this file."),
});

/** More threads than any machine has cores to spare for one gateway. */
export const MOST_WORKERS = 64;

const regionSchema = z.strictObject({
  jurisdiction: z
    .string()
    .min(1)
    .meta({
      description: "Where this region's data legally is, such as EU.",
      examples: ["EU"],
    }),
  gateway: addressSchema.describe("Where this region's gateway listens."),
  workers: z
    .int()
    .min(1)
    .max(MOST_WORKERS)
    .optional()
    .describe("Threads that its gateway answers with, one a core. Default: 1."),
  agent: addressSchema.optional().describe("Where this region's agent listens."),
  components: componentsSchema.describe("What this region has: each part of a full copy."),
});

const tenantSchema = z.strictObject({
  keys: z
    .array(
      z
        .string()
        .regex(
          /^sha256:[0-9a-f]{64}$/,
          "is no key hash; write sha256: and 64 hexadecimal digits (`tideover key` makes one)",
        )
        // writeOnly: a key written here in the clear by mistake must not be echoed into a log.
        .meta({ examples: [`sha256:${"0".repeat(64)}`], writeOnly: true }),
    )
    .min(1)
    .describe("SHA-256 of each API key of this tenant. `tideover key` makes a key and its hash."),
  labels: z
    .array(z.string().min(1))
    .optional()
    .describe("Access labels that it holds. A document with any other label is not shown to it."),
});

const indexSchema = z.strictObject({
  home: nameSchema.describe("Region whose pipeline writes this index at first."),
  corpus: z
    .string()
    .optional()
    .describe("Folder of Markdown documents that `tideover up` ingests."),
  maxLag: durationSchema
    .describe("How far a replica may lag its source and still be ready.")
    .prefault("5s"),
  adopt: adoptSchema
    .optional()
    .describe("A PostgreSQL table that somebody else writes: its rows are this index's documents."),
  freshness: freshnessSpecSchema
    .optional()
    .describe("How late the pipeline may be; absent: nobody judges it."),
  replication: replicationSchema
    .prefault({ strategy: "continuous" })
    .describe("How its copies are kept level, and how a lost one comes back."),
  scrub: scrubSpecSchema
    .prefault({})
    .describe("How each copy is looked at for damage, and what it must be able to do."),
  digestKeyEnv: z
    .string()
    .regex(
      /^[A-Z_][A-Z0-9_]*$/,
      "is no variable name; write the name of an environment variable, such as INDEX_DIGEST_KEY",
    )
    .optional()
    .describe(
      "Environment variable with the key of this index's digests (32 bytes or more, hex or base64), the same in every region. For indexes whose tenants choose ids and contents; fixed when the index is made.",
    ),
});

const retrievalSchema = z.strictObject({
  index: nameSchema.describe("Index that is searched, one of `indexes`."),
  topK: z.int().min(1).max(50).default(4).describe("How many documents go into the prompt."),
  required: z
    .boolean()
    .default(true)
    .describe("false: when the index cannot serve, the workflow goes on as `no-retrieval`."),
  stale: stalePolicySchema
    .default("label")
    .describe("What becomes of an answer from documents beyond the index's `freshness`."),
});

const consistencySchema = z.strictObject({
  identical: z
    .array(z.enum(["model", "prompt", "route", "policy"]))
    .default(["model", "prompt", "route", "policy"])
    .describe("What must be equal in every region that serves."),
  bounded: z
    .array(z.enum(["index", "sessions", "features"]))
    .default([])
    .describe("What may lag, within the rpo."),
  later: z
    .array(z.enum(["telemetry", "features", "pipeline"]))
    .default([])
    .describe("What may be recovered after traffic has opened."),
});

const workflowSchema = z.strictObject({
  description: z.string().optional().describe("One sentence for people."),
  pattern: z
    .enum(["active-passive", "active-active"])
    .describe("active-passive: the primary serves. active-active: all of its regions serve."),
  primary: nameSchema.describe("Region that serves at first, and after a failback."),
  standbys: z
    .array(nameSchema)
    .default([])
    .describe("Regions that take over, the preferred one first."),
  rto: durationSchema.describe("Recovery time objective."),
  rpo: durationSchema.describe(
    "Recovery point objective: how much of the newest state may be lost.",
  ),
  prompt: z.string().optional().describe("Name of a prompt in the release."),
  retrieval: retrievalSchema
    .optional()
    .describe("Search documents first; absent for plain inference."),
  required: z
    .array(componentSchema)
    .default(["runtime"])
    .describe("Without these a region is not ready."),
  optional: z.array(componentSchema).default([]).describe("Without these the workflow degrades."),
  consistency: consistencySchema
    .prefault({})
    .describe("What must be equal, what may lag, and what may come later."),
  degradedModes: z
    .array(degradedModeSchema)
    .default([])
    .describe("In the order in which they are given up."),
  dependsOn: z
    .array(nameSchema)
    .default([])
    .describe("Workflows that must be recovered before this one."),
  declare: z
    .strictObject({
      by: z.enum(["automatic", "person"]).describe("Who decides that a disaster has happened."),
      who: z
        .string()
        .min(1)
        .meta({
          description: "Role or rota that answers for the decision.",
          examples: ["platform on-call"],
        }),
      signals: z
        .array(failureDomainSchema)
        .min(1)
        .describe("Failure domains that may be declared."),
    })
    .describe("Who may declare a disaster, and on which signals."),
  customers: z
    .strictObject({
      channel: z
        .string()
        .min(1)
        .meta({ description: "Where customers are told.", examples: ["status page"] }),
      message: z
        .string()
        .min(1)
        .meta({
          description: "What they are told. Variables: {workflow}, {from}, {to}, {mode}.",
          examples: ["{workflow} is now answered from {to}."],
        }),
    })
    .describe("How customers are told."),
  golden: z
    .strictObject({
      questions: z.string().describe("File of golden questions."),
      minimum: z.number().min(0).max(1).default(0.9).describe("Share that must be answered right."),
      sample: z.int().positive().default(8).describe("How many are asked by one readiness check."),
    })
    .optional()
    .describe("Questions with known answers, asked before traffic opens."),
  deadline: durationSchema.prefault("60s").describe("Longest time that one request may take."),
  delivery: deliverySchema
    .default("stream")
    .describe(
      "stream: a streamed answer is passed on as it comes. complete: not before it is whole.",
    ),
  hedge: z
    .boolean()
    .default(false)
    .describe("true: a second target is asked when the first is slower than it mostly is."),
  longContext: nameSchema
    .optional()
    .describe("Target for requests whose context is too long for the others, and for no other."),
});

const detectionSchema = z.strictObject({
  interval: durationSchema.prefault("500ms").describe("Time between two probes of one target."),
  timeout: durationSchema
    .prefault("1s")
    .describe("A probe without an answer after this has failed."),
  confirm: durationSchema
    .prefault("4s")
    .describe(
      "A region must look failed to every witness for this long. Shorter stops are ridden out.",
    ),
  witnesses: z
    .int()
    .min(2)
    .default(2)
    .describe("Observers that must agree, one of them outside the region."),
  cooldown: durationSchema
    .prefault("30s")
    .describe("Least time between two unplanned moves of a workflow."),
});

export const specSchema = z.strictObject({
  tideover: z
    .literal(1, { error: "is no version of this format that this program reads; write 1" })
    .describe("Version of this file's format."),
  estate: nameSchema.meta({ description: "Name of the whole estate.", examples: ["my-estate"] }),
  controllers: z
    .array(addressSchema)
    .default([])
    .describe("Where the controllers' API listens; one leads."),
  release: z
    .union([z.string(), releaseSpecSchema], {
      error: "is no release; write the path of its folder, such as ./release",
    })
    .optional()
    .describe(
      "Folder of the release (release.yaml and prompts/), or `folder` with `trust` and `bake`.",
    ),
  artifacts: artifactsSpecSchema
    .optional()
    .describe("Copies of releases, models and images in each region."),
  maxBody: sizeSchema.prefault("10MiB").describe("Largest request body that a gateway accepts."),
  detection: detectionSchema
    .prefault({})
    .describe("How soon, and by how many, a region is held to be out."),
  reflex: reflexSpecSchema
    .prefault({})
    .describe("How patient and how insistent the gateways are with each target."),
  regions: z
    .record(nameSchema, regionSchema)
    .describe("Failure-isolated places that can run a full copy, by name."),
  tenants: z.record(nameSchema, tenantSchema).describe("Who may ask, by name."),
  indexes: z
    .record(nameSchema, indexSchema)
    .default({})
    .describe("What is searched, by name; replicated to every region with an index component."),
  workflows: z
    .record(nameSchema, workflowSchema)
    .describe("What callers ask for by name (as the OpenAI `model`), and what each was promised."),
});

/** As judged: durations in milliseconds, sizes in bytes, every default filled in. */
export type Spec = z.infer<typeof specSchema>;
export type RegionSpec = Spec["regions"][string];
export type WorkflowSpec = Spec["workflows"][string];
export type IndexSpec = Spec["indexes"][string];
export type RuntimeTarget = RegionSpec["components"]["runtime"]["targets"][number];
export type DetectionSpec = Spec["detection"];

/** What the spec says of the release, whichever way it is written; null when it says nothing. */
export function releaseSpecOf({ release }: Pick<Spec, "release">): ReleaseSpec | null {
  if (release === undefined) return null;
  return typeof release === "string" ? { folder: release, ...PLAIN_RELEASE } : release;
}
