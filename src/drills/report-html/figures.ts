import type { ReportContent } from "../../core/evidence/report.ts";
import { count, counted, decimal, measured, share, stated } from "./format.ts";
import { html, type Markup } from "./markup.ts";
import { PHASES, type Phase, phaseSeconds } from "./story.ts";

/** Percent of the bar that one letter takes on paper, where the bar is narrowest but a telephone's. */
const LETTER = 1.2;
/** On a telephone only segments from this many percent on keep their name. */
const WIDE_FROM = 34;

/** What each phase means where traffic was moved. */
const MOVED: Readonly<Record<Phase, string>> = {
  detect: "from the fault until the region is judged failed",
  decide: "until the plan is written",
  verify: "until the standby is proven ready",
  open: "until the snapshot that opens the standby is published",
  propagate: "until a canary is answered by the standby",
};

/** And where it stayed, as with a release that was rolled back. */
const STAYED: Readonly<Record<Phase, string>> = {
  detect: "from the first region that had it until the release is judged bad",
  decide: "until the plan is written",
  verify: "until the release’s epoch is raised",
  open: "until the snapshot with the good release is published",
  propagate: "until every gateway has it and a canary is answered with it everywhere",
};

/** A cure that moves nobody has nothing to move back. */
export function movesNobody({ failback }: Pick<ReportContent, "failback">): boolean {
  return failback.completed && failback.to === null;
}

/** Objective and actual of both promises, each pair with its bar. */
export function objectivesSection(content: ReportContent): Markup {
  const { objective, actual } = content;
  const stayed = movesNobody(content);
  return html`<section id="objectives"><h2>Objectives and actuals</h2><div class="pair">
    ${objectiveMarkup({
      title: "Recovery time",
      means: stayed
        ? "from the first region that had it until the good one is proven everywhere"
        : "from the fault until answers come from the standby",
      names: ["RTO", "RTA"],
      objective: objective.rtoSeconds,
      actual: actual.rtaSeconds,
      // Nothing recovers in no time: a zero here is a recovery that nobody saw.
      measuredAt: actual.rtaSeconds > 0,
    })}
    ${objectiveMarkup({
      title: "Recovery point",
      means: stayed
        ? "no traffic and no index moved, so that no accepted change was left behind"
        : "accepted changes that the standby did not have",
      names: ["RPO", "RPA"],
      objective: objective.rpoSeconds,
      actual: actual.rpaSeconds,
      measuredAt: actual.rpaSeconds >= 0,
    })}
  </div></section>`;
}

interface Objective {
  readonly title: string;
  readonly means: string;
  readonly names: readonly [objective: string, actual: string];
  readonly objective: number;
  readonly actual: number;
  readonly measuredAt: boolean;
}

function objectiveMarkup(pledge: Objective): Markup {
  const { title, means, names, objective, actual, measuredAt } = pledge;
  const kept = measuredAt && actual <= objective;
  // Room behind the mark, so that an overrun is seen to run over.
  const end = Math.max(objective, measuredAt ? actual : 0) * 1.12;
  return html`<div class="objective ${kept ? "kept" : "missed"}">
    <h3>${title}</h3>
    <p class="note">${means}</p>
    <dl class="figures"><div><dt>${names[1]} <span>actual</span></dt><dd>${measuredAt ? measured(actual) : "not measured"}</dd></div><div><dt>${names[0]} <span>objective</span></dt><dd>${stated(objective)}</dd></div></dl>
    <div class="gauge"><div class="fill" style="width:${decimal(measuredAt ? share(actual, end) : 0)}%"></div><div class="goal" style="left:${decimal(share(objective, end))}%"></div></div>
    <p class="judgement">${judgementOf(pledge, kept)}</p>
  </div>`;
}

function judgementOf({ names, objective, actual, measuredAt }: Objective, kept: boolean): string {
  if (!measuredAt) return `✗ No ${names[1]} was measured: the objective is not shown to be met.`;
  if (!kept) return `✗ Misses the objective by ${measured(actual - objective)}.`;
  return `✓ Within the objective, with ${measured(objective - actual)} to spare.`;
}

/** Where the recovery time went, phase by phase. */
export function splitSection(content: ReportContent): Markup {
  const { split } = content;
  const means = movesNobody(content) ? STAYED : MOVED;
  const total = split.totalSeconds;
  const phases = PHASES.map((phase) => ({ phase, seconds: phaseSeconds(split, phase) }));
  const segments = phases.map(({ phase, seconds }) => {
    const percent = share(seconds, total);
    const length = phase.length + measured(seconds).length + 1;
    // A smaller one is named in the table below the bar alone: no label is ever cut or covered.
    const name = percent >= length * LETTER ? html`<b>${phase}</b> ${measured(seconds)}` : null;
    return html`<div class="${phase} ${percent >= WIDE_FROM ? "long" : "short"}" style="width:${decimal(percent)}%" title="${phase}: ${measured(seconds)}"><span>${name}</span></div>`;
  });
  const rows = phases.map(
    ({ phase, seconds }) =>
      html`<tr><td><span class="swatch ${phase}"></span>${phase}</td><td class="num">${measured(seconds)}</td><td class="num soft">${percentOf(seconds, total)}</td><td class="soft means">${means[phase]}</td></tr>`,
  );
  return html`<section id="split"><h2>Where the recovery time went</h2>
    ${total > 0 ? html`<div class="stack">${segments}</div>` : html`<p>No recovery was measured.</p>`}
    <table class="split"><tbody>${rows}</tbody><tfoot><tr><td>RTA</td><td class="num">${measured(total)}</td><td></td><td class="soft means">the slowest workflow’s, all phases together</td></tr></tfoot></table>
  </section>`;
}

function percentOf(part: number, whole: number): string {
  const percent = share(part, whole);
  return percent > 0 && percent < 1 ? "<1 %" : `${decimal(Math.round(percent))} %`;
}

export function requestsSection({ requests }: ReportContent): Markup {
  const { sent, succeeded, failed, cut } = requests;
  const open = Math.max(0, sent - succeeded - failed - cut);
  const kinds = [
    { name: "answered", value: succeeded, means: "whole answers" },
    { name: "failed", value: failed, means: "no answer" },
    { name: "cut", value: cut, means: "began, not finished" },
    ...(open > 0 ? [{ name: "unaccounted", value: open, means: "no outcome" }] : []),
  ];
  const segments = kinds.map(({ name, value }) =>
    value > 0
      ? html`<div class="${name}" style="flex-grow:${decimal(share(value, sent))}" title="${name}: ${count(value)}"></div>`
      : html``,
  );
  return html`<section id="requests"><h2>Requests</h2>
    <dl class="figures counts"><div><dt>sent</dt><dd>${count(sent)}</dd><dd class="note">by real clients</dd></div>${kinds.map(
      ({ name, value, means }) =>
        html`<div class="${value > 0 ? `some-${name}` : "none"}"><dt><span class="swatch ${name}"></span>${name}</dt><dd>${count(value)}</dd><dd class="note">${means}</dd></div>`,
    )}</dl>
    ${sent > 0 ? html`<div class="stack thin">${segments}</div>` : html`<p>No request was sent: nothing is known of what callers saw.</p>`}
  </section>`;
}

export function failbackSection({ failback, estate }: ReportContent): Markup {
  const { completed, to, tookSeconds, because } = failback;
  const where = to === null ? "" : ` to ${to}`;
  const took = tookSeconds === null ? "" : ` in ${measured(tookSeconds)}`;
  const done = to === null ? "✓ Not needed." : `✓ Completed${where}${took}.`;
  const words = completed ? done : `✗ Not completed${where}${took}.`;
  return html`<section id="failback"><h2>Failback</h2>
    <p class="outcome ${completed ? "good" : "bad"}">${words}</p>
    <p class="note">${because === "" ? `${estate} gave no reason.` : because}</p>
  </section>`;
}

/** `2 of 14 checks do not hold`: for the top of the page and the head of the table. */
export function checksSentence({ checks }: Pick<ReportContent, "checks">): string {
  const failed = checks.filter(({ pass }) => !pass).length;
  if (checks.length === 0) return "Nothing was checked, so nothing is proven.";
  if (failed === 0) return `All ${counted(checks.length, "check")} hold.`;
  return `${count(failed)} of ${counted(checks.length, "check")} ${failed === 1 ? "does" : "do"} not hold.`;
}
