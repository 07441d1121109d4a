// The status page: one file that asks nothing of anybody but the gateway. Its script is beside it.

import { metaKeys, modernVersions } from "../protocol/modern-meta.ts";
import { script } from "./page-script.ts";

/** What the page says when it asks for the catalog, as a client of the gateway. */
const meta = {
  [metaKeys.protocolVersion]: modernVersions[0],
  [metaKeys.clientInfo]: { name: "mcpctl status page", version: "1" },
  [metaKeys.clientCapabilities]: {},
};

export const pageScript: string = `"use strict";\nconst meta = ${JSON.stringify(meta)};\nconst version = ${JSON.stringify(modernVersions[0])};\n${script}`;

export const pageStyle = `
:root { color-scheme: light dark; --ink: #16202b; --dim: #4a5867; --line: #d5dce4; --paper: #fff; --card: #f6f8fa; --main: #0b57c4; --on: #fff; --good: #0a6b35; --warn: #8a5300; --bad: #a4211b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf3; --dim: #a3b1c0; --line: #36424f; --paper: #12181f; --card: #1a222b; --main: #7fb2ff; --on: #0b1420; --good: #6fd39a; --warn: #f0b95b; --bad: #ff9d94; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header, main { max-width: 75rem; margin: 0 auto; padding: 1rem; }
header { display: flex; flex-wrap: wrap; gap: .75rem 1.5rem; align-items: center; }
h1 { font-size: 1.3rem; margin: 0; display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .4rem 0; }
ul { list-style: none; margin: 0; padding: 0; }
.dim { color: var(--dim); }
.num { font-variant-numeric: tabular-nums; }
.facts { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0; color: var(--dim); }
.facts b { color: var(--ink); font-variant-numeric: tabular-nums; }
.chip { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem; font-size: .85rem; font-weight: 600; color: var(--dim); white-space: nowrap; }
.chip.up, .chip.ok, .chip.answered, .chip.closed { color: var(--good); }
.chip.connecting, .chip.reconnecting, .chip.degraded, .chip.starting, .chip.draining, .chip.halfOpen { color: var(--warn); }
.chip.down, .chip.unavailable, .chip.failed, .chip.open { color: var(--bad); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: .75rem; }
.card { border: 1px solid var(--line); border-radius: .6rem; background: var(--card); padding: .8rem 1rem; min-width: 0; }
.row { display: flex; flex-wrap: wrap; gap: .4rem .75rem; align-items: center; }
.spark { width: 100%; height: 2rem; display: block; margin: .5rem 0 .1rem; }
.spark polyline { fill: none; stroke: var(--main); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.error { border-left: 3px solid var(--bad); padding-left: .6rem; margin: .6rem 0 0; overflow-wrap: anywhere; }
.replicas { margin-top: .5rem; }
.replicas li { display: flex; flex-wrap: wrap; gap: .3rem .6rem; padding: .15rem 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--dim); font-weight: 600; white-space: nowrap; }
td { overflow-wrap: anywhere; }
td.kind { white-space: nowrap; }
#items td:first-child { min-width: 10rem; }
td.num, th.num { text-align: right; white-space: nowrap; }
details { border-bottom: 1px solid var(--line); padding: .35rem 0; }
summary { cursor: pointer; display: flex; flex-wrap: wrap; gap: .3rem .75rem; align-items: baseline; overflow-wrap: anywhere; }
summary::before { content: "▸"; color: var(--dim); }
details[open] > summary::before { content: "▾"; }
summary .name { flex: 1 1 12rem; min-width: 0; }
ol { margin: .3rem 0 .3rem 1.2rem; padding: 0; overflow-wrap: anywhere; }
#catalog summary { font-size: 1.05rem; font-weight: 600; }
#catalog { margin-top: 1.75rem; }
label { display: block; margin: .6rem 0 .25rem; }
input { display: block; width: 100%; max-width: 32rem; font: inherit; padding: .5rem; color: inherit; background: var(--paper); border: 1px solid var(--dim); border-radius: .4rem; }
button { font: inherit; padding: .4rem .9rem; min-height: 2.5rem; margin-top: .6rem; border: 1px solid var(--main); border-radius: .4rem; background: var(--main); color: var(--on); cursor: pointer; }
button:focus-visible, input:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 3px solid var(--main); outline-offset: 2px; }
.notice { border-left: 4px solid var(--warn); background: var(--card); padding: .5rem .75rem; }
@media (max-width: 40rem) { .wide { display: none; } }
@media print { .spark, #catalog, #signin { display: none; } }
`;

export const pageHtml: string = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>mcpctl</title><link rel="icon" href="data:,"><style>${pageStyle}</style></head>
<body>
<header><h1>mcpctl <span id="overall" class="chip" role="status">connecting</span></h1><p id="facts" class="facts"></p></header>
<main>
<p id="notice" class="notice" role="alert" hidden></p>
<form id="signin" hidden><label for="key">API key of the gateway, or access token for it</label><input id="key" type="password" autocomplete="off" required><button>Show</button></form>
<div id="content" hidden>
<h2>Backends</h2>
<ul id="backends" class="cards"></ul>
<h2>Slowest tools</h2>
<p id="notools" class="dim">None were called yet.</p>
<div id="tools" class="scroll" tabindex="0" role="region" aria-label="Slowest tools"><table><thead><tr><th scope="col">Tool</th><th scope="col" class="num">p50</th><th scope="col" class="num">p95</th><th scope="col" class="num">p99</th><th scope="col" class="num">Calls</th><th scope="col" class="num">Errors</th></tr></thead><tbody id="slowest"></tbody></table></div>
<h2>Last calls</h2>
<p id="nocalls" class="dim">None yet.</p>
<div id="calls"></div>
<details id="catalog"><summary>Catalog</summary>
<label for="search">Search names and descriptions</label><input id="search" type="search" autocomplete="off">
<p id="count" class="dim" role="status"></p>
<div class="scroll" tabindex="0" role="region" aria-label="Catalog"><table><thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col" class="num">Tokens</th><th scope="col" class="wide">Description</th></tr></thead><tbody id="items"></tbody></table></div>
</details>
</div>
</main>
<script>${pageScript}</script>
</body></html>
`;
