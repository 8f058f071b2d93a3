/** Writes tideover.schema.json anew. Run it after every change of src/model/spec.ts. */
import { writeFileSync } from "node:fs";
import { specJsonSchemaText } from "../src/config/json-schema.ts";

const target = new URL("../tideover.schema.json", import.meta.url);
writeFileSync(target, specJsonSchemaText());
