import { Command } from "commander";
import { keysOf } from "../app/estate.ts";
import { ingestDocuments } from "../app/local-estate.ts";
import { loadCorpus } from "../config/load-corpus.ts";
import { chosenIndex, indexOption } from "./choose-index.ts";
import { connect } from "./connect.ts";
import { interruptible } from "./interrupt.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson, progress } from "./output.ts";

interface IngestFlags extends EstateFlags {
  readonly index?: string;
  readonly json: boolean;
}

export function indexIngestCommand(): Command {
  return withEstateOptions(new Command("ingest"))
    .description("hand a folder of Markdown documents to the region that owns an index")
    .argument("<corpus>", "folder of documents with front matter (id, title, audience, updated)")
    .addOption(indexOption("the spec's only one"))
    .addOption(jsonOption())
    .action((corpus: string, flags: IngestFlags) =>
      interruptible((signal) => run(corpus, flags, signal)),
    );
}

async function run(corpus: string, flags: IngestFlags, signal: AbortSignal): Promise<void> {
  const estate = runningEstate(flags);
  const index = chosenIndex(estate, flags.index);
  const documents = loadCorpus(corpus);
  progress(`tideover: ${documents.length} documents go into ${index}`);
  const sent = await ingestDocuments(estate, connect(estate), keysOf(estate).token, {
    index,
    documents,
    signal,
  });
  if (flags.json) return printJson({ index, documents: documents.length, position: null, ...sent });
  const at = sent === null ? "" : ` (position ${sent.minPosition ?? sent.position.seq})`;
  print(`${documents.length} documents are in ${index}${at}; its replicas follow by themselves.`);
}
