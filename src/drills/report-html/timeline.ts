import type { ReportContent } from "../../core/evidence/report.ts";
import { counted, decimal, measured, offset, stated, utcClock } from "./format.ts";
import {
  HEAD_HEIGHT,
  type Label,
  type Lane,
  type Layout,
  layoutTimeline,
  type Mark,
  truncate,
} from "./layout.ts";
import { html, type Markup } from "./markup.ts";
import type { Span, Story } from "./story.ts";

const LANE_NAME_COLUMNS = 15;
/** Room for the name of a span. */
const NAME_WIDTH = 150;
/** A recovery that fills more of the run than this needs no picture of its own. */
const CLOSE_UP_BELOW = 0.6;

export function timelineSection(content: ReportContent, story: Story): Markup {
  if (content.timeline.length === 0) {
    return html`<section id="timeline"><h2>Timeline</h2><p>Nothing was recorded.</p></section>`;
  }
  const closeUp = closeUpOf(story);
  return html`<section id="timeline"><h2>Timeline</h2>
    ${figure(story, story.whole, "The whole run")}
    ${closeUp && figure(story, closeUp, "The recovery, closer")}
    <p class="note">Small marks are the record’s other entries; every mark shows its sentence under the pointer. All ${counted(content.timeline.length, "event")} are written out under <a href="#events">Every event</a>.</p>
  </section>`;
}

/** Every event of the timeline in words. */
export function eventsSection(content: ReportContent, story: Story): Markup {
  const rows = story.events.map(
    ({ seconds, event }) =>
      html`<tr class="${event.kind === "fault" ? "fault" : "event"}"><td class="num">${offset(seconds)}</td><td class="num soft">${utcClock(event.at)}</td><td>${event.lane}</td><td class="soft">${event.kind}</td><td class="text">${event.text}</td></tr>`,
  );
  return html`<section id="events"><h2>Every event</h2>
    <p class="note">Offsets are in seconds since the ${story.zero}.</p>
    <table class="events"><thead><tr><th class="num">offset</th><th class="num">UTC</th><th>who</th><th>kind</th><th>what</th></tr></thead><tbody>${rows}</tbody></table>
    ${content.timeline.length === 0 ? html`<p>None.</p>` : null}
  </section>`;
}

function closeUpOf({ recovery, whole }: Story): Span | null {
  if (!recovery) return null;
  const length = recovery.to - recovery.from;
  if (length > (whole.to - whole.from) * CLOSE_UP_BELOW) return null;
  // Some room before the fault and after the end, so that neither stands on the picture's edge.
  return { from: recovery.from - length * 0.08, to: recovery.to + length * 0.25 };
}

function figure(story: Story, window: Span, caption: string): Markup {
  const layout = layoutTimeline(story.events, window);
  const { width, height } = layout;
  return html`<figure><figcaption>${caption}<span class="soft">, in seconds since the ${story.zero}</span></figcaption>
    <div class="wide" tabindex="0" role="group" aria-label="${caption}: picture, can be scrolled"><svg viewBox="0 0 ${decimal(width)} ${decimal(height)}" role="img" aria-label="${caption}: ${counted(layout.marks.length, "event")} in ${counted(layout.lanes.length, "lane")}">
      ${layout.lanes.map((lane, at) => laneMarkup(lane, layout, at))}
      ${outageMarkup(story, layout)}
      ${spansMarkup(story, layout, window)}
      ${axisMarkup(layout)}
      ${layout.labels.map(leaderMarkup)}
      ${layout.marks.map(markMarkup)}
      ${layout.labels.map(labelMarkup)}
    </svg></div></figure>`;
}

function laneMarkup(lane: Lane, { plot }: Layout, at: number): Markup {
  return html`<g><rect class="lane ${at % 2 === 0 ? "even" : "odd"}" x="0" y="${decimal(lane.y)}" width="${decimal(lane.width)}" height="${decimal(lane.height)}"/><line class="base" x1="${decimal(plot.from)}" x2="${decimal(plot.to)}" y1="${decimal(lane.baseline)}" y2="${decimal(lane.baseline)}"/><text class="lane-name" x="10" y="${decimal(lane.baseline + 4)}">${truncate(lane.name, LANE_NAME_COLUMNS)}<title>${lane.name}</title></text></g>`;
}

/** The broken region, shaded in its own lane while it is away. */
function outageMarkup({ outage }: Story, layout: Layout): Markup | null {
  const lane = layout.lanes.find(({ name }) => name === outage?.lane);
  if (!outage || !lane) return null;
  const from = layout.xOf(outage.from);
  const width = Math.max(2, layout.xOf(outage.to) - from);
  return html`<rect class="outage" x="${decimal(from)}" y="${decimal(lane.y)}" width="${decimal(width)}" height="${decimal(lane.height)}"><title>${outage.lane} is away</title></rect>`;
}

/** Recovery and failback across all lanes, with their names above; the recovery's phases as a strip. */
function spansMarkup(story: Story, layout: Layout, window: Span): Markup {
  const { recovery, failback, phases } = story;
  const inWindow = failback && failback.from < window.to && failback.to > window.from;
  const shown = [
    ...(recovery ? [{ name: "recovery" as const, span: recovery }] : []),
    ...(inWindow ? [{ name: "failback" as const, span: failback }] : []),
  ].map((one) => ({ ...one, x: nameX(one.span, layout) }));
  // Close to each other their names stand in two rows, or one would cover the other.
  const rows = shown.map(({ x }, at) =>
    Math.abs(x - (shown[at - 1]?.x ?? -NAME_WIDTH)) < NAME_WIDTH ? 1 : 0,
  );
  return html`${shown.map(({ name, span, x }, at) => spanMarkup(span, name, x, rows[at] ?? 0, layout))}${phases.map(
    ({ phase, from, to }) =>
      html`<rect class="${phase}" x="${decimal(layout.xOf(from))}" y="${decimal(HEAD_HEIGHT - 12)}" width="${decimal(layout.xOf(to) - layout.xOf(from))}" height="8"><title>${phase}: ${measured(to - from)}</title></rect>`,
  )}`;
}

function nameX({ from, to }: Span, { plot, xOf }: Layout): number {
  const middle = (xOf(from) + xOf(to)) / 2;
  return Math.min(plot.to - NAME_WIDTH / 2, Math.max(plot.from + NAME_WIDTH / 2, middle));
}

function spanMarkup(
  span: Span,
  name: "recovery" | "failback",
  x: number,
  row: number,
  layout: Layout,
): Markup {
  const from = layout.xOf(span.from);
  const to = layout.xOf(span.to);
  const words = `${name} ${measured(span.to - span.from)}`;
  return html`<rect class="span ${name}" x="${decimal(from)}" y="${decimal(HEAD_HEIGHT - 14)}" width="${decimal(to - from)}" height="${decimal(layout.axisY - HEAD_HEIGHT + 14)}"><title>${words}</title></rect><text class="span-name" x="${decimal(x)}" y="${decimal(27 - row * 15)}" text-anchor="middle">${words}</text>`;
}

function axisMarkup({ ticks, axisY, plot }: Layout): Markup {
  return html`<g class="axis"><line x1="${decimal(plot.from)}" x2="${decimal(plot.to)}" y1="${decimal(axisY)}" y2="${decimal(axisY)}"/>${ticks.map(
    ({ x, seconds }) =>
      html`<line class="grid" x1="${decimal(x)}" x2="${decimal(x)}" y1="${decimal(HEAD_HEIGHT)}" y2="${decimal(axisY + 5)}"/><text x="${decimal(x)}" y="${decimal(axisY + 20)}" text-anchor="middle">${stated(seconds)}</text>`,
  )}</g>`;
}

function leaderMarkup({ leader, tone }: Label): Markup {
  const x = decimal(leader.x + 1);
  return html`<line class="leader ${tone}" x1="${x}" x2="${x}" y1="${decimal(leader.y)}" y2="${decimal(leader.y + leader.height + 2)}"/>`;
}

/** Shapes differ as well as colours: a cross broke, a full circle was proven, a ring was planned. */
function markMarkup({ x, y, tone, title }: Mark): Markup {
  const at = `translate(${decimal(x)} ${decimal(y)})`;
  const words = html`<title>${title}</title>`;
  if (tone === null) return html`<path class="tick" transform="${at}" d="M0 -5V5">${words}</path>`;
  if (tone === "fault" || tone === "bad") {
    return html`<path class="mark ${tone}" transform="${at}" d="M-5 -5L5 5M-5 5L5 -5">${words}</path>`;
  }
  return html`<circle class="mark ${tone}" transform="${at}" r="4.5">${words}</circle>`;
}

function labelMarkup({ x, y, width, text, tone, title, isFlipped }: Label): Markup {
  const anchor = isFlipped ? "end" : "start";
  const from = isFlipped ? x + width - 5 : x + 5;
  return html`<text class="label ${tone}" x="${decimal(from)}" y="${decimal(y + 12)}" text-anchor="${anchor}">${text}<title>${title}</title></text>`;
}
