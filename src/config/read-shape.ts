import type { z } from "zod";
import { type Fault, pathText } from "./faults.ts";
import { judgeShape } from "./shape-faults.ts";
import type { Remark, YamlSource } from "./yaml-source.ts";

export interface ShapeResult<Value> {
  /** undefined when the data does not fit the schema. */
  readonly value: Value | undefined;
  readonly faults: readonly Fault[];
  /** The schema's share of the faults, still as remarks. */
  readonly remarks: readonly Remark[];
}

/** Judges what a YAML text says against a schema; the YAML's own faults come along. */
export function readShape<Schema extends z.ZodType>(
  schema: Schema,
  source: YamlSource,
): ShapeResult<z.output<Schema>> {
  if (source.value === undefined) return { value: undefined, faults: source.faults, remarks: [] };
  const wrong = notAMapping(source);
  if (wrong !== undefined)
    return { value: undefined, faults: [...source.faults, wrong], remarks: [] };
  const shape = judgeShape(schema, source.value);
  if (shape.ok) return { value: shape.value, faults: source.faults, remarks: [] };
  // A broken alias reads as null: saying that it is empty too would be one slip told twice.
  const told = new Set(source.faults.map(({ path }) => path));
  const remarks = shape.remarks.filter(({ path }) => !told.has(pathText(path)));
  const faults = [...source.faults, ...remarks.map((remark) => source.faultAt(remark))];
  return { value: undefined, faults, remarks };
}

function notAMapping({ value, faultAt }: YamlSource): Fault | undefined {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return undefined;
  if (value === null)
    return faultAt({
      path: [],
      value: "",
      message: "there is nothing in it",
      instead: "write keys and values, such as those of a file in examples/",
    });
  const found = Array.isArray(value) ? "a list" : "a single value";
  return faultAt({
    path: [],
    value: "",
    message: `holds ${found}, not a mapping`,
    instead: "write keys and values, one `key: value` a line",
  });
}
