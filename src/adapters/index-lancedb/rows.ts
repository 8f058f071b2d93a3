import { type DigestKey, rangeKey } from "../../core/reconcile/digest.ts";
import { payloadOf } from "../../ledger/entries.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { Arrow, Rows } from "./driver.ts";

/**
 * How a record stands in a Lance table. A column of vectors has one number of dimensions, so there
 * is a column for each that ever was (`v384`), made when its first record comes; a record fills one.
 * `blank`: a vector of zeros, which has no direction and is in no search of Lance's.
 */
const TEXTS = ["id", "audience", "embedding", "title", "text", "payload"] as const;

const VECTOR = /^v([1-9][0-9]*)$/;

export function vectorColumn(dimensions: number): string {
  return `v${dimensions}`;
}

/** The columns of vectors among these, by number of dimensions. */
export function vectorColumns(schema: {
  readonly fields: readonly { readonly name: string }[];
}): string[] {
  return schema.fields.map(({ name }) => name).filter((name) => VECTOR.test(name));
}

/** The schema of a new table, before the first vector comes. */
export function emptySchema(arrow: Arrow): unknown {
  return new arrow.Schema(fixedFields(arrow));
}

export function vectorField(arrow: Arrow, dimensions: number): unknown {
  return new arrow.Field(vectorColumn(dimensions), vectorType(arrow, dimensions), true);
}

function vectorType(arrow: Arrow, dimensions: number): unknown {
  return new arrow.FixedSizeList(dimensions, new arrow.Field("item", new arrow.Float32(), true));
}

function labelsType(arrow: Arrow): unknown {
  return new arrow.List(new arrow.Field("item", new arrow.Utf8(), true));
}

function fixedFields(arrow: Arrow): unknown[] {
  return [
    ...TEXTS.map((name) => new arrow.Field(name, new arrow.Utf8(), false)),
    new arrow.Field("labels", labelsType(arrow), false),
    new arrow.Field("place", new arrow.Uint32(), false),
    new arrow.Field("digest", new arrow.FixedSizeBinary(DIGEST_BYTES), false),
    new arrow.Field("blank", new arrow.Bool(), false),
  ];
}

const DIGEST_BYTES = 16;

/** Numbers of dimensions that these records have, each once. */
export function dimensionsOf(records: readonly StoredRecord[]): number[] {
  return [...new Set(records.map(({ vector }) => vector.length / 4))];
}

/** Records as an Arrow table, column by column: value by value would take ten times as long. */
export function tableOf(arrow: Arrow, records: readonly StoredRecord[], key: DigestKey): unknown {
  const sizes = dimensionsOf(records);
  const fields = [...fixedFields(arrow), ...sizes.map((size) => vectorField(arrow, size))];
  const children = [
    ...TEXTS.map((name) =>
      texts(
        arrow,
        records.map((record) => textOf(record, name)),
      ),
    ),
    lists(
      arrow,
      records.map(({ labels }) => labels),
    ),
    places(arrow, records, key),
    digests(arrow, records),
    blanks(arrow, records),
    ...sizes.map((size) => vectors(arrow, records, size)),
  ];
  const schema = new arrow.Schema(fields);
  const type = new arrow.Struct(fields);
  const data = arrow.makeData({ type, length: records.length, nullCount: 0, children });
  return new arrow.Table(schema, new arrow.RecordBatch(schema, data));
}

function textOf(record: StoredRecord, name: (typeof TEXTS)[number]): string {
  return name === "payload" ? JSON.stringify(record.payload) : record[name];
}

function texts(arrow: Arrow, values: readonly string[]): unknown {
  const parts = values.map((value) => Buffer.from(value, "utf8"));
  const valueOffsets = offsets(parts.map(({ length }) => length));
  const data = new Uint8Array(Buffer.concat(parts));
  const type = new arrow.Utf8();
  return arrow.makeData({ type, length: values.length, nullCount: 0, valueOffsets, data });
}

function lists(arrow: Arrow, values: readonly (readonly string[])[]): unknown {
  const valueOffsets = offsets(values.map(({ length }) => length));
  const child = texts(arrow, values.flat());
  const type = labelsType(arrow);
  return arrow.makeData({ type, length: values.length, nullCount: 0, valueOffsets, child });
}

function offsets(lengths: readonly number[]): Int32Array {
  const ends = new Int32Array(lengths.length + 1);
  for (const [at, length] of lengths.entries()) ends[at + 1] = (ends[at] ?? 0) + length;
  return ends;
}

function places(arrow: Arrow, records: readonly StoredRecord[], key: DigestKey): unknown {
  const data = Uint32Array.from(records, ({ id }) => rangeKey(id, key));
  return arrow.makeData({ type: new arrow.Uint32(), length: data.length, nullCount: 0, data });
}

function digests(arrow: Arrow, records: readonly StoredRecord[]): unknown {
  const data = new Uint8Array(Buffer.from(records.map(({ digest }) => digest).join(""), "hex"));
  const type = new arrow.FixedSizeBinary(DIGEST_BYTES);
  return arrow.makeData({ type, length: records.length, nullCount: 0, data });
}

function blanks(arrow: Arrow, records: readonly StoredRecord[]): unknown {
  const data = bits(records.map(({ vector }) => isBlank(vector)));
  return arrow.makeData({ type: new arrow.Bool(), length: records.length, nullCount: 0, data });
}

/** Of +0 and -0 alone: all bytes are zero but for signs. */
function isBlank(vector: Uint8Array): boolean {
  return vector.every((byte, at) => byte === 0 || (at % 4 === 3 && byte === 0x80));
}

function bits(values: readonly boolean[]): Uint8Array {
  const packed = new Uint8Array(Math.ceil(values.length / 8));
  for (const [at, value] of values.entries()) {
    if (value) packed[at >> 3] = (packed[at >> 3] ?? 0) | (1 << (at & 7));
  }
  return packed;
}

function vectors(arrow: Arrow, records: readonly StoredRecord[], size: number): unknown {
  const bytes = new Uint8Array(records.length * size * 4);
  const there = records.map(({ vector }) => vector.length === size * 4);
  for (const [at, { vector }] of records.entries()) {
    if (there[at]) bytes.set(vector, at * size * 4);
  }
  const child = arrow.makeData({
    type: new arrow.Float32(),
    length: records.length * size,
    nullCount: 0,
    data: new Float32Array(bytes.buffer),
  });
  const nullCount = there.filter((one) => !one).length;
  const type = vectorType(arrow, size);
  const nullBitmap = nullCount === 0 ? {} : { nullBitmap: bits(there) };
  return arrow.makeData({ type, length: records.length, nullCount, child, ...nullBitmap });
}

/** Every part of each row. A part that is missing shows as an empty one: its digest tells. */
export function recordsOfRows(rows: Rows): StoredRecord[] {
  const text = TEXTS.map((name) => rows.getChild(name));
  const [labels, digest] = [rows.getChild("labels"), rows.getChild("digest")];
  const vectors = vectorColumns(rows.schema).map((name) => rows.getChild(name));
  return Array.from({ length: rows.numRows }, (_, at) => {
    const [id = "", audience = "", embedding = "", title = "", body = "", payload = ""] = text.map(
      (column) => String(column?.get(at) ?? ""),
    );
    return {
      id,
      audience,
      labels: listOf(labels?.get(at)).map(String),
      embedding,
      vector: vectorOf(vectors.map((column) => column?.get(at))),
      title,
      text: body,
      payload: payloadOf({ payload }),
      digest: hexOf(digest?.get(at)),
    };
  });
}

export function textsOf(rows: Rows, name: string): string[] {
  const column = rows.getChild(name);
  return Array.from({ length: rows.numRows }, (_, at) => String(column?.get(at) ?? ""));
}

export function numbersOf(rows: Rows, name: string): number[] {
  const column = rows.getChild(name);
  return Array.from({ length: rows.numRows }, (_, at) => Number(column?.get(at) ?? 0));
}

export function digestsOf(rows: Rows): string[] {
  const column = rows.getChild("digest");
  return Array.from({ length: rows.numRows }, (_, at) => hexOf(column?.get(at)));
}

/** Lance's own numbers of the rows, which hold for one version. */
export function rowIdsOf(rows: Rows): bigint[] {
  const column = rows.getChild("_rowid");
  return Array.from({ length: rows.numRows }, (_, at) => {
    const id = column?.get(at);
    return typeof id === "bigint" ? id : BigInt(Number(id));
  });
}

function hexOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : "";
}

function listOf(value: unknown): unknown[] {
  return isList(value) ? [...value] : [];
}

function isList(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

/** The one vector that is there, as the bytes that were written. */
function vectorOf(columns: readonly unknown[]): Uint8Array {
  const there = columns.find((value) => value !== null && value !== undefined);
  const floats = isVector(there) ? there.toArray() : null;
  if (!(floats instanceof Float32Array)) return new Uint8Array(0);
  return Uint8Array.from(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
}

function isVector(value: unknown): value is { toArray(): unknown } {
  return typeof value === "object" && value !== null && "toArray" in value;
}
