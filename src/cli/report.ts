import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeWritable } from "../app/data-dir.ts";
import type { ReportContent } from "../core/evidence/report.ts";
import { renderReport } from "../drills/report-html.ts";
import { paint, print, printJson, progress, table } from "./output.ts";

/** Writes a report's two forms, and shows it: in words on a terminal, as one line for machines. */
export function showReport(
  content: ReportContent,
  { folder, json }: { folder: string; json: boolean },
): void {
  makeWritable(folder);
  const html = join(folder, "report.html");
  writeFileSync(html, renderReport(content));
  writeFileSync(join(folder, "report.json"), JSON.stringify(content, null, 2));
  if (json) {
    progress(`tideover: the report for people is ${html}`);
    printJson(machineForm(content, html), 0);
    return;
  }
  for (const line of reportLines(content)) print(line);
  print(`\nThe whole report: ${html}`);
}

/** The promised shape of `--json`; everything else of the report follows. */
function machineForm(content: ReportContent, html: string): object {
  const { objective, actual, requests, failback, checks, verdict, ...rest } = content;
  return {
    ...objective,
    rtaSeconds: actual.rtaSeconds,
    rpaSeconds: actual.rpaSeconds,
    requests,
    failback,
    checks,
    verdict,
    ...rest,
    report: html,
  };
}

function reportLines(content: ReportContent): string[] {
  const { objective, actual, split, requests, failback } = content;
  const failed = content.checks.filter(({ pass }) => !pass);
  const passed = content.verdict === "pass";
  return [
    "",
    paint("bold", content.title),
    ...table([
      [
        "RTA",
        `${actual.rtaSeconds.toFixed(2)} s`,
        `objective ${objective.rtoSeconds} s (detect ${split.detectSeconds.toFixed(2)}, decide ${split.decideSeconds.toFixed(2)}, verify ${split.verifySeconds.toFixed(2)}, open ${split.openSeconds.toFixed(2)}, propagate ${split.propagateSeconds.toFixed(2)})`,
      ],
      ["RPA", `${actual.rpaSeconds.toFixed(2)} s`, `objective ${objective.rpoSeconds} s`],
      [
        "requests",
        String(requests.sent),
        `answered ${requests.succeeded}, failed ${requests.failed}, cut ${requests.cut}`,
      ],
      [
        "failback",
        failback.completed ? (failback.to === null ? "not needed" : "completed") : "NOT completed",
        failback.tookSeconds === null
          ? failback.because
          : `in ${failback.tookSeconds.toFixed(2)} s`,
      ],
    ]),
    "",
    ...content.checks.map(
      ({ name, pass, evidence }) =>
        `${pass ? paint("green", "pass") : paint("red", "FAIL")}  ${name}: ${evidence}`,
    ),
    "",
    passed
      ? paint(["bold", "green"], `PASS: all ${content.checks.length} checks hold`)
      : paint(
          ["bold", "red"],
          `FAIL: ${failed.length} of ${content.checks.length} checks do not hold`,
        ),
  ];
}
