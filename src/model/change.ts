import { z } from "zod";

/**
 * Facts about a document that its source wants kept: any JSON object. A field named `__proto__` is
 * refused: it would be lost without a word wherever the object is copied.
 */
export const payloadSchema = z.preprocess(
  (value, ctx) => {
    if (namesPrototype(value)) {
      ctx.addIssue({ code: "custom", message: "a field cannot be named __proto__", input: value });
    }
    return value;
  },
  z.record(z.string(), z.json()),
);
export type Payload = z.infer<typeof payloadSchema>;

function namesPrototype(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "__proto__") || Object.values(value).some(namesPrototype);
}

/** A document as its source says it. `audience` is `public` or the one tenant who may see it. */
export const sourceDocumentSchema = z.strictObject({
  id: z.string().min(1).max(256),
  title: z.string(),
  text: z.string(),
  audience: z.string().min(1),
  /** Access labels: who does not hold every one of them does not see the document. */
  labels: z.array(z.string().min(1)).default([]),
  payload: payloadSchema.default({}),
  /** When the source made this version, in ms since 1970. */
  sourceTime: z.number(),
});
export type SourceDocument = z.infer<typeof sourceDocumentSchema>;

/** What a pipeline asks an index to do. */
export const sourceChangeSchema = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("upsert"), document: sourceDocumentSchema }),
  z.strictObject({ op: z.literal("delete"), id: z.string().min(1), sourceTime: z.number() }),
  /**
   * "Everything up to this time has been sent." Without it a pipeline with nothing to say could not
   * be told from a dead one. `audience`: of that tenant's documents only; absent: of all.
   */
  z.strictObject({
    op: z.literal("watermark"),
    sourceTime: z.number(),
    audience: z.string().min(1).optional(),
  }),
]);
export type SourceChange = z.infer<typeof sourceChangeSchema>;

/**
 * One entry of an index's change log, in source order. It is complete: a replica applies it
 * without asking anybody, so that a dead source costs nothing that was already shipped.
 */
export const logEntrySchema = z.strictObject({
  seq: z.int().positive(),
  /** Ownership of the index under which it was written. */
  epoch: z.int().positive(),
  op: z.enum(["upsert", "delete", "watermark"]),
  /** Empty for a watermark, as are all texts that say nothing there. */
  id: z.string(),
  title: z.string(),
  text: z.string(),
  /** Of a watermark: the tenant that it speaks of, empty for all. */
  audience: z.string(),
  /** Sorted, each once. */
  labels: z.array(z.string()).default([]),
  payload: payloadSchema.default({}),
  sourceTime: z.number(),
  /** Name of the embedding model version that made `vector`; of several, see model/vectors.ts. */
  embedding: z.string(),
  /** Little-endian f32, base64; empty for what is no upsert. */
  vector: z.string(),
  /** Set digest of the index after this entry (see Position). */
  digestAfter: z.string(),
});
export type LogEntry = z.infer<typeof logEntrySchema>;

/** A log entry without its content: what an index was behind it, and under whose ownership. */
export type LogMark = Pick<LogEntry, "seq" | "epoch" | "digestAfter">;
