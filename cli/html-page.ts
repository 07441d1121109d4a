// One HTML page that needs nothing else: its style, and the parts that reports are made of.

import { escapeXml } from "./markup.ts";

const style = `
:root { color-scheme: light dark; --ink: #16202b; --dim: #4a5867; --paper: #ffffff; --panel: #f3f5f8; --line: #c9d1da;
  --one: #0b5cad; --two: #9a4b00; --three: #a3123f; --good: #17663a; --bad: #a3123f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf3; --dim: #aab6c3; --paper: #10161d; --panel: #1a222c;
  --line: #3a4653; --one: #78b7ff; --two: #ffb066; --three: #ff8fb0; --good: #6fd39a; --bad: #ff8fb0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 75rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .75rem; }
p { margin: .25rem 0; overflow-wrap: anywhere; }
.dim, figcaption, th, dt { color: var(--dim); }
.verdict { display: inline-block; border: 2px solid; border-radius: .4rem; padding: .1rem .6rem; font-weight: 700; margin: .75rem 0 0; }
.good { color: var(--good); } .bad { color: var(--bad); }
dl.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 1.25rem 0 0; }
dl.figures div { background: var(--panel); border-radius: .5rem; padding: .6rem .8rem; }
dt { font-size: .85rem; } dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem; }
figure { margin: 0; background: var(--panel); border-radius: .5rem; padding: .75rem; break-inside: avoid; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { font-weight: 600; margin-bottom: .25rem; }
svg text { fill: var(--dim); font: 12px system-ui, sans-serif; }
.grid { stroke: var(--line); stroke-width: 1; } .fault { fill: var(--line); opacity: .55; }
.s1 { stroke: var(--one); } .s2 { stroke: var(--two); stroke-dasharray: 7 3; } .s3 { stroke: var(--three); stroke-dasharray: 2 3; }
.f1 { fill: var(--one); } .f2 { fill: var(--two); } .f3 { fill: var(--three); }
svg text.label { fill: var(--ink); paint-order: stroke; stroke: var(--panel); stroke-width: 3px; }
path.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
text.t1 { fill: var(--one); } text.t2 { fill: var(--two); } text.t3 { fill: var(--three); }
.scroll { overflow-x: auto; } .scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--one); outline-offset: 2px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
td.wide { white-space: normal; overflow-wrap: anywhere; min-width: 12rem; }
th.number, td.number { text-align: right; }
summary { cursor: pointer; padding: .35rem 0; }
@media print { :root { color-scheme: light; } main { padding: 0; max-width: none; } body { font-size: 11pt; }
  .charts { grid-template-columns: 1fr 1fr; } details, .scroll { overflow: visible; } h2 { break-after: avoid; } }
`;

/** A whole page; `body` is markup. Nothing in it is fetched from anywhere. */
export function htmlPage(title: string, body: string): string {
  const policy = "default-src 'none'; style-src 'unsafe-inline'";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeXml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

/** Figures that are seen first. */
export function figureList(figures: readonly (readonly [name: string, value: string])[]): string {
  const items = figures.map(([name, value]) => `<div><dt>${escapeXml(name)}</dt><dd>${escapeXml(value)}</dd></div>`);
  return `<dl class="figures">${items.join("")}</dl>`;
}

/** Columns of numbers stand right; the last column of text may wrap. */
export function htmlTable(name: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumber = head.map((_, index) => rows.every((row) => /^[-+×]?[\d.]|^-?$/.test(row[index] ?? "")));
  const wide = head.length - 1;
  const cell = (tag: string, text: string, index: number): string => {
    const kind = isNumber[index] === true ? ' class="number"' : index === wide && tag === "td" ? ' class="wide"' : "";
    return `<${tag}${kind}${tag === "th" ? ' scope="col"' : ""}>${escapeXml(text)}</${tag}>`;
  };
  const line = (tag: string, cells: readonly string[]): string =>
    `<tr>${cells.map((text, index) => cell(tag, text, index)).join("")}</tr>`;
  const body = rows.map((row) => line("td", row)).join("\n");
  const label = escapeXml(name);
  return `<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table><thead>${line("th", head)}</thead><tbody>
${body}
</tbody></table></div>`;
}

export function htmlDetails(summary: string, content: string): string {
  return `<details><summary>${escapeXml(summary)}</summary>${content}</details>`;
}
