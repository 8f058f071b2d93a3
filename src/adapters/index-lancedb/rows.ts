import { type DigestKey, rangeKey } from "../../core/reconcile/digest.ts";
import { vectorsOf } from "../../core/reconcile/vectors.ts";
import { payloadOf } from "../../ledger/entries.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { Arrow, Rows } from "./driver.ts";

/**
 * How a record stands in a Lance table. A column of vectors has one number of dimensions, so there
 * is a column for each that ever was, made when its first record comes: `v384` for the first vector
 * of a record, `v384_2` for its second one. A record fills one for each of its vectors.
 * `blank`: one of them is of zeros, which has no direction and is in no search of Lance's.
 */
const TEXTS = ["id", "audience", "embedding", "title", "text", "payload"] as const;

const VECTOR = /^v[1-9][0-9]*(?:_([1-9][0-9]*))?$/;

/** One of the columns that hold vectors. */
export interface VectorColumn {
  /** Which one of a record's vectors it is, from 1. */
  readonly slot: number;
  readonly dimensions: number;
}

export function columnName({ slot, dimensions }: VectorColumn): string {
  return slot === 1 ? `v${dimensions}` : `v${dimensions}_${slot}`;
}

/** The names of the columns of vectors among these. */
export function vectorColumns(schema: Rows["schema"]): string[] {
  return schema.fields.map(({ name }) => name).filter((name) => VECTOR.test(name));
}

function slotOf(name: string): number {
  return Number(VECTOR.exec(name)?.[1] ?? 1);
}

/** The schema of a new table, before the first vector comes. */
export function emptySchema(arrow: Arrow): unknown {
  return new arrow.Schema(fixedFields(arrow));
}

export function vectorField(arrow: Arrow, column: VectorColumn): unknown {
  return new arrow.Field(columnName(column), vectorType(arrow, column), true);
}

function vectorType(arrow: Arrow, { dimensions }: VectorColumn): unknown {
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

/** The columns that the vectors of these records fill, each once. */
export function columnsOf(records: readonly StoredRecord[]): VectorColumn[] {
  return columnsFor(records.map(partsOf));
}

/** The bytes of each of a record's vectors. */
type Parts = readonly Uint8Array[];

function partsOf(record: StoredRecord): Parts {
  return vectorsOf(record).map(({ bytes }) => bytes);
}

function columnsFor(parts: readonly Parts[]): VectorColumn[] {
  const all = parts.flatMap((ones) =>
    ones.map(({ length }, at) => ({ slot: at + 1, dimensions: length / 4 })),
  );
  return [...new Map(all.map((column) => [columnName(column), column])).values()];
}

/** Records as an Arrow table, column by column: value by value would take ten times as long. */
export function tableOf(arrow: Arrow, records: readonly StoredRecord[], key: DigestKey): unknown {
  const parts = records.map(partsOf);
  const columns = columnsFor(parts);
  const fields = [...fixedFields(arrow), ...columns.map((column) => vectorField(arrow, column))];
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
    blanks(arrow, parts),
    ...columns.map((column) => vectors(arrow, parts, column)),
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

function blanks(arrow: Arrow, parts: readonly Parts[]): unknown {
  const data = bits(parts.map((ones) => ones.some(isBlank)));
  return arrow.makeData({ type: new arrow.Bool(), length: parts.length, nullCount: 0, data });
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

function vectors(arrow: Arrow, parts: readonly Parts[], column: VectorColumn): unknown {
  const size = column.dimensions * 4;
  const bytes = new Uint8Array(parts.length * size);
  const own = parts.map((ones) => ones[column.slot - 1]);
  const there = own.map((one) => one?.length === size);
  for (const [at, one] of own.entries()) {
    if (one !== undefined && there[at]) bytes.set(one, at * size);
  }
  const child = arrow.makeData({
    type: new arrow.Float32(),
    length: parts.length * column.dimensions,
    nullCount: 0,
    data: new Float32Array(bytes.buffer),
  });
  const nullCount = there.filter((one) => !one).length;
  const type = vectorType(arrow, column);
  const nullBitmap = nullCount === 0 ? {} : { nullBitmap: bits(there) };
  return arrow.makeData({ type, length: parts.length, nullCount, child, ...nullBitmap });
}

/** Every part of each row. A part that is missing shows as an empty one: its digest tells. */
export function recordsOfRows(rows: Rows): StoredRecord[] {
  const text = TEXTS.map((name) => rows.getChild(name));
  const [labels, digest] = [rows.getChild("labels"), rows.getChild("digest")];
  const vectors = slotsIn(rows);
  return Array.from({ length: rows.numRows }, (_, at) => {
    const [id = "", audience = "", embedding = "", title = "", body = "", payload = ""] = text.map(
      (column) => String(column?.get(at) ?? ""),
    );
    return {
      id,
      audience,
      labels: listOf(labels?.get(at)).map(String),
      embedding,
      vector: joinedOf(vectors.map((columns) => vectorOf(columns.map((one) => one?.get(at))))),
      title,
      text: body,
      payload: payloadOf({ payload }),
      digest: hexOf(digest?.get(at)),
    };
  });
}

/** The columns of vectors, by slot. */
function slotsIn(rows: Rows): ReturnType<Rows["getChild"]>[][] {
  const names = vectorColumns(rows.schema);
  const slots = [...new Set(names.map(slotOf))].sort((a, b) => a - b);
  return slots.map((slot) =>
    names.filter((name) => slotOf(name) === slot).map((name) => rows.getChild(name)),
  );
}

/** End to end, as a record holds them. */
function joinedOf(vectors: readonly Uint8Array[]): Uint8Array {
  const [only] = vectors;
  return only !== undefined && vectors.length === 1 ? only : new Uint8Array(Buffer.concat(vectors));
}

/** Of each row, whether its vector in this column is one of zeros. */
export function blanksIn(rows: Rows, column: VectorColumn): boolean[] {
  const values = rows.getChild(columnName(column));
  return Array.from({ length: rows.numRows }, (_, at) => isBlank(vectorOf([values?.get(at)])));
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

/** The one vector of a slot that is there, as the bytes that were written. */
function vectorOf(columns: readonly unknown[]): Uint8Array {
  const there = columns.find((value) => value !== null && value !== undefined);
  const floats = isVector(there) ? there.toArray() : null;
  if (!(floats instanceof Float32Array)) return new Uint8Array(0);
  return Uint8Array.from(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
}

function isVector(value: unknown): value is { toArray(): unknown } {
  return typeof value === "object" && value !== null && "toArray" in value;
}
