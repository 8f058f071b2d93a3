import { type Call, type Link, placed } from "./call.ts";
import { own } from "./own.ts";
import { refuse } from "./refuse.ts";

/**
 * The rest of an answer is asked only of regions that serve the release which began it. Another
 * release has another prompt, perhaps another model: its words behind the old one's would be an
 * answer that no release has ever given, under the name of one of them. Saying it all again would
 * not help: the caller was told in the headers which release answers.
 *
 * Inside of `hold`, so that each round asks the newest snapshot: a rollback may bring the release
 * back, and an activation may have taken it away from everybody, which ends the wait at once.
 */
export function sameRelease(): Link {
  return (next) => (call) => {
    const begun = call.resume?.release ?? null;
    if (begun === null) return next(call);
    const { route } = placed(call);
    const serving = route.serving.filter(
      (region) => own(call.snapshot.regions, region)?.release === begun,
    );
    if (serving.length === 0) return refuse(releaseChanged(call, begun));
    return next({ ...call, route: { ...route, serving } });
  };
}

function releaseChanged({ snapshot }: Call, begun: string) {
  return {
    status: 409,
    code: "release_changed",
    message: `The answer was begun with release ${begun}, which no region serves any more (snapshot ${snapshot.number}). The two are not put together. Send the request again.`,
  } as const;
}
