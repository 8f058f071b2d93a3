import type { Call, Link } from "./call.ts";
import { noEmbedding } from "./embedding.ts";
import { own } from "./own.ts";
import { refuse } from "./refuse.ts";

/** Which workflow is meant, by the request's `model` (or by what stands for it, see `parse`). */
export function locate(): Link {
  return (next) => (call) => {
    const workflow = call.workflow ?? "";
    const route = own(call.snapshot.workflows, workflow);
    if (route === undefined) return refuse(unknown(call, workflow));
    call.known.workflow = workflow;
    call.known.epoch = route.epoch;
    return next({ ...call, route });
  };
}

function unknown({ api, snapshot }: Call, name: string) {
  return api === "embeddings"
    ? noEmbedding(snapshot, name)
    : unknownWorkflow(name, snapshot.workflows);
}

export function unknownWorkflow(name: string, known: Readonly<Record<string, unknown>>) {
  const names = Object.keys(known).join(", ");
  return {
    status: 404,
    code: "model_not_found",
    param: "model",
    message: `The model '${name.slice(0, 100)}' does not exist here. This estate's workflows are: ${names}.`,
  } as const;
}
