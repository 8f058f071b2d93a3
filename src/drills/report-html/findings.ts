import type { EpochChange, ReportCheck, ReportContent } from "../../core/evidence/report.ts";
import { checksSentence, movesNobody } from "./figures.ts";
import { count, counted, measured, offset, utcDate } from "./format.ts";
import { html, type Markup } from "./markup.ts";

/** What was broken where, and whether the estate recovered: readable from across the room. */
export function headerMarkup(content: ReportContent): Markup {
  const { title, estate, startedAt } = content;
  const passed = isPass(content);
  const failed = content.checks.filter(({ pass }) => !pass);
  return html`<header>
    <p class="kicker">Tideover recovery report</p>
    <h1>${title}</h1>
    <p class="soft">Estate <b>${estate}</b>, begun ${utcDate(startedAt)}</p>
    <div class="verdict ${passed ? "good" : "bad"}"><p class="word"><span aria-hidden="true">${passed ? "✓" : "✗"}</span> ${passed ? "PASS" : "FAIL"}</p>
      <div><p>${verdictSentence(content, passed)}</p>
      ${failed.length > 0 ? html`<ul>${failed.map(({ name }) => html`<li>${name}</li>`)}</ul>` : null}</div>
    </div>
  </header>`;
}

/** The page never says PASS above a check that it shows as failed, whatever the data's verdict is. */
function isPass({ verdict, checks }: ReportContent): boolean {
  return verdict === "pass" && checks.length > 0 && checks.every(({ pass }) => pass);
}

function verdictSentence(content: ReportContent, passed: boolean): string {
  const { actual, failback, checks } = content;
  const held = checksSentence(content);
  if (passed) {
    if (movesNobody(content)) {
      return `${held} It was cured ${measured(actual.rtaSeconds)} after the fault, and no traffic was moved.`;
    }
    const took = failback.tookSeconds === null ? "" : ` in ${measured(failback.tookSeconds)}`;
    const back = failback.completed ? `, and the traffic was moved back${took}` : "";
    return `${held} Answers came from the standby ${measured(actual.rtaSeconds)} after the fault${back}.`;
  }
  const allHold = checks.length > 0 && checks.every(({ pass }) => pass);
  return allHold
    ? `${held} They do not cover the recovery itself, so it is not proven.`
    : `${held} This recovery is not proven.`;
}

/** Failed ones first: at three in the morning nobody scrolls for them. */
export function checksSection(content: ReportContent): Markup {
  const failed = content.checks.filter(({ pass }) => !pass);
  const passed = content.checks.filter(({ pass }) => pass);
  return html`<section id="checks"><h2>Checks</h2><p>${checksSentence(content)}</p>
    ${
      content.checks.length === 0
        ? null
        : html`<table class="checks"><thead><tr><th>result</th><th>check</th><th>evidence</th></tr></thead><tbody>${[...failed, ...passed].map(checkRow)}</tbody></table>`
    }
  </section>`;
}

function checkRow({ name, pass, evidence }: ReportCheck): Markup {
  const result = pass ? "✓ passed" : "✗ FAILED";
  return html`<tr class="${pass ? "passed" : "failed"}"><td class="result">${result}</td><td class="name">${name}</td><td class="text">${evidence === "" ? "no evidence was given" : evidence}</td></tr>`;
}

/** What an auditor needs to find the same facts again without this page. */
export function recordSection({ epochs, release, evidenceChain }: ReportContent): Markup {
  const { entries, head, intact } = evidenceChain;
  return html`<section id="record"><h2>Record</h2>
    <dl class="record">
      <div><dt>Evidence chain</dt><dd class="${intact ? "good" : "bad"}">${intact ? "✓ intact" : "✗ NOT intact"}, ${counted(entries, "entry", "entries")}</dd></div>
      <div><dt>Hash of entry ${count(entries)} (head)</dt><dd><code>${head === "" ? "none" : head}</code></dd></div>
      <div><dt>Release that served</dt><dd><code>${release}</code></dd></div>
    </dl>
    ${epochs.length === 0 ? html`<p>No workflow’s epoch was looked at.</p>` : epochsTable(epochs)}
    <p class="note">To verify it, fetch the entries from the controller (<code>GET /v1/evidence?after=0</code>), recompute each one’s hash as the SHA-256 of its canonical JSON without the member <code>hash</code>, see that its <code>previous</code> is the hash of the entry before it (64 zeros for the first), and compare the hash of entry ${count(entries)} with the head above.</p>
  </section>`;
}

function epochsTable(epochs: readonly EpochChange[]): Markup {
  const rows = epochs.map(
    ({ workflow, before, after }) =>
      html`<tr><td>${workflow}</td><td class="num">${count(before)}</td><td class="num">${count(after)}</td><td class="soft">${changeOf(before, after)}</td></tr>`,
  );
  return html`<table class="epochs"><thead><tr><th>workflow</th><th class="num">epoch before</th><th class="num">after</th><th>moves</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function changeOf(before: number, after: number): string {
  const change = after - before;
  if (change > 0) return counted(change, "change of ownership", "changes of ownership");
  return change === 0 ? "none" : `went back by ${offset(-change)}: an epoch never may`;
}
