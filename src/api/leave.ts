import { TideoverError } from "../lib/errors.ts";
import type { Store } from "../ports/store.ts";

/** Leaves a request for whoever leads. Throws STORE_CONFLICT when one is called the same already. */
export async function leave<T extends { readonly id: string }>(
  store: Store,
  key: (id: string) => string,
  request: T,
): Promise<T> {
  const left = await store.commit({
    compare: [{ key: key(request.id), revision: 0 }],
    operations: [{ put: key(request.id), value: request }],
  });
  if (left.ok) return request;
  throw new TideoverError(`another request is already called ${request.id}`, {
    code: "STORE_CONFLICT",
    retry: "now",
    next: "Ask again.",
  });
}

/** Throws NOT_FOUND, with what there is, for a name that the spec does not have. */
export function mustKnow(what: string, name: string, known: object): void {
  if (Object.hasOwn(known, name)) return;
  throw new TideoverError(`there is no ${what} "${name}"`, {
    code: "NOT_FOUND",
    next: `The spec has: ${Object.keys(known).join(", ")}.`,
  });
}
