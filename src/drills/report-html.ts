import type { ReportContent } from "../core/evidence/report.ts";
import {
  failbackSection,
  objectivesSection,
  requestsSection,
  splitSection,
} from "./report-html/figures.ts";
import { checksSection, headerMarkup, recordSection } from "./report-html/findings.ts";
import { html, toText } from "./report-html/markup.ts";
import { storyOf } from "./report-html/story.ts";
import { STYLE } from "./report-html/style.ts";
import { eventsSection, timelineSection } from "./report-html/timeline.ts";

/**
 * The report as one HTML file that needs nothing else: no script, font or image from anywhere, so
 * that it reads the same from a mail, an archive or a laptop without a network. Pure.
 */
export function renderReport(content: ReportContent): string {
  const story = storyOf(content);
  const body = html`<main>
    ${headerMarkup(content)}
    ${objectivesSection(content)}
    ${splitSection(content)}
    <div class="pair">${requestsSection(content)}${failbackSection(content)}</div>
    ${timelineSection(content, story)}
    ${checksSection(content)}
    ${recordSection(content)}
    ${eventsSection(content, story)}
  </main>`;
  const title = html`<title>${content.title} · ${content.estate}</title>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
${toText(title)}
<style>${STYLE}</style>
</head>
<body>
${toText(body)}
</body>
</html>
`;
}
