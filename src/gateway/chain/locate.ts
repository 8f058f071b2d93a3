import { type Link, withFacts } from "./call.ts";
import { own } from "./own.ts";
import { refuse } from "./refuse.ts";

/** Which workflow is meant, by the request's `model`. */
export function locate(): Link {
  return (next) => async (call) => {
    const workflow = call.request?.model ?? "";
    const route = own(call.snapshot.workflows, workflow);
    if (route === undefined) return refuse(unknownWorkflow(workflow, call.snapshot.workflows));
    return withFacts(await next({ ...call, route }), { workflow, epoch: route.epoch });
  };
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
