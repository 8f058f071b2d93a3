import type { ReportContent, TimelineEvent } from "../../core/evidence/report.ts";

const START = Date.UTC(2026, 10, 23, 2, 58, 41, 120);
const WORKFLOWS = ["handbook-search", "ticket-summaries", "claims-assistant"];
const RELEASE = "sha256:9f2c51be07ad4be3b0a1f5f1d5e4cb38a7f2a3d9c41e6f508b7d2a9c0e1f4b6d";

/** What a real drill of two regions and three workflows reports: about a hundred events. */
export function sampleReport(changes: Partial<ReportContent> = {}): ReportContent {
  return {
    title: "Region outage: eu-west killed under load",
    estate: "northwind-demo",
    startedAt: START,
    objective: { rtoSeconds: 10, rpoSeconds: 2 },
    actual: { rtaSeconds: 6.2, rpaSeconds: 0.41 },
    split: {
      detectSeconds: 3.42,
      decideSeconds: 0.26,
      verifySeconds: 1.61,
      openSeconds: 0.08,
      propagateSeconds: 0.83,
      totalSeconds: 6.2,
    },
    requests: { sent: 612, succeeded: 607, failed: 0, cut: 5 },
    failback: {
      completed: true,
      to: "eu-west",
      tookSeconds: 2.71,
      because: "every step is proven, every step is proven, every step is proven",
    },
    checks: sampleChecks(),
    timeline: sampleTimeline(),
    release: RELEASE,
    epochs: WORKFLOWS.map((workflow) => ({ workflow, before: 1, after: 3 })),
    evidenceChain: {
      entries: 148,
      head: "4c1de8f0a97b35d2c6e1804b9af27d5310ce8b64f7a2915d3e08c7b6a4f19d20",
      intact: true,
    },
    verdict: "pass",
    ...changes,
  };
}

function sampleChecks(): ReportContent["checks"] {
  const check = (name: string, evidence: string) => ({ name, pass: true, evidence });
  return [
    check(
      "recovery time within RTO",
      "6.20 s from the kill to proven traffic in us-east; the objective is 10.00 s",
    ),
    check(
      "lost data within RPO",
      "0.41 s of index changes; the objective is 2.00 s. handbook: eu-west had accepted change 187 (2026-11-23T02:58:44.020Z); us-east took over at 185 (2026-11-23T02:58:43.610Z)",
    ),
    ...WORKFLOWS.flatMap((workflow) => [
      check(
        `failover of ${workflow} by plan`,
        "plan 01JD8Q3K, epoch 2, 7 steps, 0 of them more than once: every step is proven",
      ),
      check(`${workflow}: standby proven before it opened`, readySentence("us-east")),
    ]),
    check(
      "returned region does not serve by itself",
      WORKFLOWS.map((name) => `${name}: succeeded, x-tideover-region: us-east`).join("; "),
    ),
    check(
      "returned region's index refuses writes under its old epoch",
      "409: eu-west does not own handbook: us-east does, under epoch 2",
    ),
    check("no request failed", "0 of 408 unstreamed requests failed"),
    check(
      "answers right",
      "607 of 607 answers hold what they must (287 by eu-west, 320 by us-east)",
    ),
    check("evidence record intact", "All 148 entries verify."),
  ];
}

function sampleTimeline(): TimelineEvent[] {
  const events: TimelineEvent[] = [];
  const add = (seconds: number, lane: string, kind: string, text: string): void => {
    events.push({ at: START + seconds * 1_000, offsetSeconds: seconds, lane, kind, text });
  };
  add(0.4, "callers", "load", "16 requests a second are answered by eu-west");
  add(3.4, "eu-west", "fault", "kill -9 of every process of eu-west");
  add(4.6, "controller", "verdict", "eu-west is degraded: 1 of 3 observers got no answer");
  add(6.82, "controller", "verdict", "eu-west is failed: 3 of 3 observers got no answer for 3.1 s");
  addMove(add, { at: 7.0, kind: "failover", from: "eu-west", to: "us-east", epoch: 2, slow: 1.6 });
  add(12.9, "us-east", "open", "us-east answers every workflow");
  add(13.1, "eu-west", "return", "eu-west starts again");
  add(14.9, "controller", "verdict", "eu-west is healthy: eu-west's gateway answers");
  add(20.2, "eu-west", "return", "eu-west is back, fenced and level again");
  addMove(add, { at: 20.3, kind: "failback", from: "us-east", to: "eu-west", epoch: 3, slow: 0.9 });
  add(26.4, "eu-west", "open", "eu-west serves again");
  return events.toSorted((a, b) => a.at - b.at);
}

interface Move {
  readonly at: number;
  readonly kind: string;
  readonly from: string;
  readonly to: string;
  readonly epoch: number;
  readonly slow: number;
}

type Add = (seconds: number, lane: string, kind: string, text: string) => void;

function addMove(add: Add, { at, kind, from, to, epoch, slow }: Move): void {
  for (const [index, workflow] of WORKFLOWS.entries()) {
    const start = at + index * 0.06;
    const plan = `01JD8Q3KF${index}`;
    const said = (after: number, evidence: string, text: string): void =>
      add(start + after, "controller", evidence, text);
    const because = `${from} is failed: 3 of 3 observers got no answer for 3.1 s; ${to} is ready`;
    said(0, "decision", `${kind} for ${workflow}: ${because}`);
    said(
      0.05,
      "plan",
      `plan ${plan}: ${kind} of ${workflow} from ${from} to ${to} under epoch ${epoch}: ${because}`,
    );
    said(0.07, "step", "None: it only asks.");
    said(slow, "step", readySentence(to));
    said(slow + 0.02, "step", `Raise the epoch of ${workflow} from ${epoch - 1} to ${epoch}.`);
    said(slow + 0.04, "step", `${workflow} is at epoch ${epoch}, held by plan ${plan}`);
    said(slow + 0.06, "step", `${to} owns handbook under a newer epoch and takes writes.`);
    said(slow + 0.12, "step", `${to} writes handbook under epoch ${epoch}, from 185`);
    said(slow + 0.14, "step", `Publish a snapshot in which ${to} serves ${workflow}.`);
    said(
      slow + 0.18,
      "snapshot",
      `snapshot ${epoch * 3 + index}: ${workflow} is served by ${to}: ${because}`,
    );
    said(slow + 0.2, "step", `snapshot ${epoch * 3 + index} says that ${to} serves ${workflow}`);
    said(slow + 0.22, "step", "None: it asks as a caller would.");
    said(
      slow + 0.9,
      "step",
      `a canary through ${to} was answered by ${to} with the plan's release, under epoch ${epoch}`,
    );
    said(slow + 0.95, "step", 'Tell customers on status-page: "{workflow} moved to {to}"');
    said(slow + 0.97, "announcement", `told on status-page: ${workflow} moved to ${to}`);
    said(slow + 0.98, "plan", `plan ${plan} is completed: ${workflow} is served by ${to}`);
  }
}

function readySentence(region: string): string {
  return `${region} is ready, 8 of 8 checks passed: model (reference-1 as intended), release (sha256:9f2c51be), index (lag 210 ms of 2000 ms), tenants (canary of acme not visible to globex), audit (canary record present), rate limit (429 after 20), golden retrieval (58 of 60), golden answers (57 of 60)`;
}
