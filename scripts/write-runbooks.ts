/** Writes what is generated in docs/runbooks/ anew. Run it after every change of the sample estate. */
import { writeFileSync } from "node:fs";
import { PAGES, pageText, pathOf } from "./runbook-pages.ts";

for (const page of PAGES) writeFileSync(pathOf(page), await pageText(page));
