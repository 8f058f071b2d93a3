import { specSchema } from "../model/spec.ts";
import { schemaTree } from "./shape-faults.ts";

/** `tideover.schema.json`, which editors read to help and to warn while a spec is written. */
export function specJsonSchemaText(): string {
  const { $schema, ...rest } = schemaTree(specSchema);
  // No $id: the file is used from a checkout and from a package alike, by relative path.
  const described = {
    $schema,
    title: "tideover.yaml",
    description: "What an estate is, and what each of its workflows was promised.",
    ...rest,
  };
  return `${JSON.stringify(described, null, 2)}\n`;
}
