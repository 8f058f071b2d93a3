import type { Decision } from "../model/decision.ts";
import type { Verdict } from "../model/verdict.ts";
import type { ControllerDeps } from "./deps.ts";
import { createEngine, type Engine } from "./engine/cycle.ts";

/** What one controller knows and thinks; only the leader's is the estate's. */
export interface ControllerView {
  readonly id: string;
  readonly leads: boolean;
  /** Name of the leader, as far as this controller knows. */
  readonly leader: string | null;
  /** Of this controller's own reign; null when it does not lead. */
  readonly term: number | null;
  /** false: the last turn got no answer from the store. */
  readonly storeAnswers: boolean;
  /** The last turn in one sentence. */
  readonly because: string;
  readonly verdicts: readonly Verdict[];
  readonly decisions: readonly Decision[];
  /** Ids of the plans that run here now. */
  readonly plans: readonly string[];
}

export interface Controller {
  /** Lets the steps under way reach their boundary, gives the leadership back and ends. */
  stop(): Promise<void>;
  status(): ControllerView;
  /** One turn, and its sentence. For whoever drives by hand (`tickMs: null`). Never throws. */
  cycle(): Promise<string>;
}

const TICK_MS = 250;

/** Starts a controller. Several may run on one store: one leads, the others are ready to. */
export function startController(deps: ControllerDeps): Controller {
  const engine = createEngine(deps);
  const stopping = new AbortController();
  const { tickMs = TICK_MS } = deps;
  const ended = tickMs === null ? Promise.resolve() : turnByTurn(deps, engine, tickMs, stopping);
  return {
    async stop() {
      stopping.abort();
      await ended;
      await engine.close();
    },
    status: () => viewOf(deps.id, engine),
    cycle: async () => (await engine.cycle()).because,
  };
}

async function turnByTurn(
  deps: ControllerDeps,
  engine: Engine,
  tickMs: number,
  stopping: AbortController,
): Promise<void> {
  while (!stopping.signal.aborted) {
    const before = engine.turn().because;
    const { because } = await engine.cycle();
    if (because !== before) deps.logger.info({}, because);
    await deps.clock.sleep(tickMs, stopping.signal);
  }
}

function viewOf(id: string, engine: Engine): ControllerView {
  const { standing, storeAnswers, because, verdicts, decisions } = engine.turn();
  const leads = standing?.leads === true;
  return {
    id,
    leads,
    leader: standing === null ? null : standing.leads ? id : standing.leader,
    term: standing?.leads ? standing.term.number : null,
    storeAnswers,
    because,
    verdicts,
    decisions,
    plans: engine.running(),
  };
}
