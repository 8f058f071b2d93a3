const LIGHT = `
  color-scheme: light;
  --ground: #ffffff; --panel: #f5f7f8; --ink: #18212b; --soft: #55616e; --rule: #d8dee4;
  --good: #14653c; --good-ground: #e7f3ec; --bad: #a31919; --bad-ground: #fcecea;
  --recovery: #33658a; --failback: #6d6d2b;
  --detect: #33658a; --decide: #75589a; --verify: #2a756f; --open: #8f5c0d; --propagate: #5a6879;
  --on-phase: #ffffff; --cut: #8f5c0d;
`;

const DARK = `
  color-scheme: dark;
  --ground: #11161b; --panel: #192027; --ink: #e4e9ee; --soft: #9dabb9; --rule: #303a44;
  --good: #74d3a0; --good-ground: #15291f; --bad: #ff958c; --bad-ground: #351a1a;
  --recovery: #7fb2d9; --failback: #c9c777;
  --detect: #7fb2d9; --decide: #bba5e2; --verify: #74c5bd; --open: #e0b265; --propagate: #a9b6c6;
  --on-phase: #10151a; --cut: #e0b265;
`;

const PAGE = `
*, *::before, *::after { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif; font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 32px 64px; }
h1, h2, h3, p, ul, dl, dd, figure { margin: 0; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 19px; line-height: 1.3; margin-bottom: 12px; }
h3 { font-size: 16px; }
section { margin-top: 44px; min-width: 0; }
a { color: inherit; text-underline-offset: 2px; }
code { font: 0.88em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.soft, .note { color: var(--soft); }
.note { font-size: 14px; overflow-wrap: anywhere; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.num { font-variant-numeric: tabular-nums; }
.kicker { font-size: 13px; letter-spacing: 0.06em; text-transform: uppercase; color: var(--soft); margin-bottom: 8px; }
header .soft { margin-top: 6px; overflow-wrap: anywhere; }
header .soft b { color: var(--ink); }
.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 40px; }
`;

const FIGURES = `
.verdict { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 8px 28px; align-items: center; margin-top: 24px; padding: 20px 24px; border-left: 8px solid; }
.verdict.good { background: var(--good-ground); border-color: var(--good); }
.verdict.bad { background: var(--bad-ground); border-color: var(--bad); }
.verdict .word { font-size: 52px; line-height: 1; font-weight: 750; letter-spacing: 0.01em; white-space: nowrap; }
.verdict div { color: var(--ink); font-size: 17px; }
.verdict ul { margin-top: 6px; padding-left: 20px; }
.verdict li { font-weight: 600; overflow-wrap: anywhere; }
.figures { display: flex; flex-wrap: wrap; gap: 8px 36px; margin-top: 14px; }
.figures dt { font-weight: 650; font-size: 14px; }
.figures dt span { font-weight: 400; color: var(--soft); }
.figures dd { font-size: 32px; line-height: 1.2; font-weight: 650; letter-spacing: -0.01em; white-space: nowrap; }
.figures dd.note { font-size: 13px; font-weight: 400; letter-spacing: 0; white-space: normal; }
.objective .figures div:last-child dd { font-weight: 400; color: var(--soft); }
.missed .figures div:first-child dd { color: var(--bad); }
.counts { gap: 8px 28px; margin-top: 0; }
.counts dd { font-size: 28px; }
.counts .some-failed dd:not(.note), .counts .some-unaccounted dd:not(.note) { color: var(--bad); }
.counts .some-cut dd:not(.note) { color: var(--cut); }
.gauge { position: relative; height: 16px; margin: 14px 0 12px; background: var(--panel); border: 1px solid var(--rule); }
.gauge .fill { height: 100%; background: var(--good); }
.missed .gauge .fill { background: var(--bad); }
.gauge .goal { position: absolute; top: -6px; bottom: -6px; width: 3px; margin-left: -1px; background: var(--ink); }
.judgement { font-size: 15px; font-weight: 600; }
.kept .judgement { color: var(--good); }
.missed .judgement { color: var(--bad); }
.outcome { font-size: 19px; font-weight: 650; overflow-wrap: anywhere; }
.outcome + .note { margin-top: 8px; }
.stack { display: flex; gap: 1px; height: 40px; margin-bottom: 10px; overflow: hidden; }
.stack > div { overflow: hidden; white-space: nowrap; padding: 0; line-height: 40px; font-size: 14px; text-align: center; color: var(--on-phase); min-width: 2px; }
.stack.thin { height: 14px; margin: 14px 0 0; }
.stack.thin > div { flex-basis: 0; min-width: 4px; }
.swatch { display: inline-block; width: 11px; height: 11px; margin-right: 8px; vertical-align: -1px; }
.figures dt .swatch { margin-right: 6px; }
div.detect, .swatch.detect { background: var(--detect); }
div.decide, .swatch.decide { background: var(--decide); }
div.verify, .swatch.verify { background: var(--verify); }
div.open, .swatch.open { background: var(--open); }
div.propagate, .swatch.propagate { background: var(--propagate); }
div.answered, .swatch.answered { background: var(--good); }
div.failed, .swatch.failed { background: var(--bad); }
div.cut, .swatch.cut { background: var(--cut); }
div.unaccounted, .swatch.unaccounted { background: var(--soft); }
`;

const TABLES = `
table { width: 100%; border-collapse: collapse; font-size: 14px; line-height: 1.45; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 13px; padding: 6px 16px 6px 0; border-bottom: 1px solid var(--ink); white-space: nowrap; }
td { padding: 6px 16px 6px 0; border-bottom: 1px solid var(--rule); vertical-align: top; overflow-wrap: anywhere; }
td:last-child, th:last-child { padding-right: 0; }
table .num { text-align: right; white-space: nowrap; }
.split td { border-bottom: 0; padding-block: 3px; white-space: nowrap; }
.split td.means { width: 100%; white-space: normal; }
.split tfoot td { border-top: 1px solid var(--rule); font-weight: 650; padding-top: 6px; }
.split tfoot td.means { font-weight: 400; }
.checks { margin-top: 10px; }
.checks .result { white-space: nowrap; font-weight: 600; width: 112px; color: var(--good); }
.checks .name { width: 30%; font-weight: 600; }
.checks .failed td { background: var(--bad-ground); border-bottom-color: var(--bad); padding-block: 10px; }
.checks .failed .result { color: var(--bad); font-weight: 800; box-shadow: inset 5px 0 var(--bad); padding-left: 12px; }
.checks .failed td:last-child { padding-right: 10px; }
.record > div { display: grid; grid-template-columns: 210px minmax(0, 1fr); gap: 0 16px; padding: 6px 0; border-bottom: 1px solid var(--rule); font-size: 14px; }
.record dt { color: var(--soft); }
.record dd.good, .record dd.bad { font-weight: 650; }
.epochs { width: auto; margin: 16px 0; }
.epochs td, .epochs th { padding-right: 28px; }
.events { font-size: 13px; }
.events td { padding-block: 4px; }
.events th:nth-child(4), .events td:nth-child(4) { padding-right: 20px; }
.events td:nth-child(3), .events td:nth-child(4) { white-space: nowrap; }
.events .text { width: 100%; }
.events { margin-top: 8px; }
.events .fault td { color: var(--bad); font-weight: 650; background: var(--bad-ground); }
`;

const PICTURE = `
figure { margin-bottom: 24px; }
figcaption { font-size: 15px; font-weight: 650; margin-bottom: 6px; }
figcaption .soft { font-weight: 400; }
.wide { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 860px; height: auto; font-size: 12px; }
svg text { fill: var(--ink); }
.lane.even { fill: var(--panel); }
.lane.odd { fill: var(--ground); }
.base { stroke: var(--rule); stroke-width: 1.5; }
svg .lane-name { font-weight: 650; }
.outage { fill: var(--bad); fill-opacity: 0.16; }
.span { stroke-width: 1; fill-opacity: 0.09; stroke-opacity: 0.55; }
.span.recovery { fill: var(--recovery); stroke: var(--recovery); }
.span.failback { fill: var(--failback); stroke: var(--failback); stroke-dasharray: 4 3; }
.span-name { font-weight: 650; }
rect.detect { fill: var(--detect); } rect.decide { fill: var(--decide); } rect.verify { fill: var(--verify); } rect.open { fill: var(--open); } rect.propagate { fill: var(--propagate); }
.axis line { stroke: var(--soft); }
.axis .grid { stroke: var(--rule); stroke-dasharray: 1 4; }
.axis text { fill: var(--soft); }
.leader { stroke: var(--soft); stroke-width: 1; stroke-opacity: 0.7; }
.leader.fault, .leader.bad { stroke: var(--bad); }
.tick { stroke: var(--soft); stroke-width: 1.5; fill: none; }
.mark { stroke-width: 2; stroke: var(--ink); fill: var(--ground); }
.mark.good { stroke: var(--good); fill: var(--good); }
.mark.bad, .mark.fault { stroke: var(--bad); stroke-width: 3; fill: none; }
.label { stroke: var(--ground); stroke-width: 3px; stroke-opacity: 0.75; paint-order: stroke; stroke-linejoin: round; }
svg .label.fault, svg .label.bad { fill: var(--bad); font-weight: 700; }
svg .label.good { fill: var(--good); }
`;

/** On a telephone each row of a table becomes a small block: nothing is scrolled sideways. */
const NARROW = `
main { padding: 24px 16px 48px; }
h1 { font-size: 25px; }
section { margin-top: 36px; }
.pair { grid-template-columns: minmax(0, 1fr); }
.objective + .objective { margin-top: 28px; }
.verdict { grid-template-columns: minmax(0, 1fr); padding: 16px; }
.verdict .word { font-size: 46px; }
.counts { gap: 8px 22px; }
.stack .short span { display: none; }
.checks thead, .events thead { display: none; }
.checks tr { display: block; padding: 8px 0; border-bottom: 1px solid var(--rule); }
.checks td { display: block; border: 0; padding: 0; width: auto !important; }
.checks .failed { background: var(--bad-ground); border-left: 5px solid var(--bad); padding: 10px; }
.checks .failed td { padding: 0; background: none; }
.checks .failed .result { box-shadow: none; padding: 0; }
.events tr { display: flex; flex-wrap: wrap; gap: 0 12px; padding: 6px 0; border-bottom: 1px solid var(--rule); }
.events td { border: 0; padding: 0 !important; }
.events td:not(.text) { font-weight: 600; }
.events .text { flex-basis: 100%; width: auto; }
.split td { white-space: normal; padding-right: 10px; }
.split .num, .split td:first-child { white-space: nowrap; }
.record > div { grid-template-columns: minmax(0, 1fr); }
.epochs { width: 100%; }
.epochs td, .epochs th { padding-right: 10px; white-space: normal; }
`;

const PRINT = `
* { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
body { font-size: 10.5pt; }
main { max-width: none; padding: 0; }
section { margin-top: 17pt; }
.verdict { margin-top: 14px; padding: 14px 20px; }
.verdict .word { font-size: 42px; }
.figures dd { font-size: 25px; }
.counts { gap: 6px 18px; }
.counts dd { font-size: 21px; }
.judgement { font-size: 13px; }
h2 { break-after: avoid; }
tr, figure, .objective, .verdict, #requests, #failback, #split, .record { break-inside: avoid; }
.wide { overflow: visible; }
svg { min-width: 0; }
.events { font-size: 8pt; }
.checks { font-size: 9pt; }
`;

/** The whole style sheet. Printed it is always light: paper is. */
export const STYLE = `
:root {${LIGHT}}
@media screen and (prefers-color-scheme: dark) { :root {${DARK}} }
${PAGE}${FIGURES}${TABLES}${PICTURE}
@media screen and (max-width: 640px) {${NARROW}}
@page { size: A4; margin: 14mm 12mm; }
@media print {${PRINT}}
`;
