// What a run looks like: in terminals of two widths, and as a page in a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import stringWidth from "string-width";
import { compareText } from "../../cli/bench-compare-text.ts";
import { failoverHtml } from "../../cli/bench-failover-html.ts";
import { failoverText } from "../../cli/bench-failover-text.ts";
import { htmlReport } from "../../cli/bench-html.ts";
import { benchText } from "../../cli/bench-text.ts";
import { hasChromium, lookAt } from "../kit/chromium.ts";
import { sampleComparison, sampleFailover, sampleRun } from "./bench-sample.ts";
import { assertTranscript } from "./transcript.ts";

const widths = [80, 140];

test("bench: golden transcripts at 80 and 140 columns", () => {
  const texts = {
    "bench-run": (width: number) => benchText(sampleRun, width),
    "bench-failover": (width: number) => failoverText(sampleFailover(), width),
    "bench-compare": (width: number) => compareText(sampleComparison, width),
  };
  for (const [name, text] of Object.entries(texts))
    for (const width of widths) {
      const lines = text(width);
      for (const line of lines) assert.ok(stringWidth(line) <= width, `${name} at ${width}: ${line}`);
      assertTranscript(`${name}-${width}`, `${lines.join("\n")}\n`);
    }
});

const pages: readonly (readonly [string, () => string])[] = [
  ["run", () => htmlReport(sampleRun)],
  ["failover", () => failoverHtml(sampleFailover())],
];

test("bench: a page fetches nothing, and runs nothing", () => {
  for (const [name, page] of pages) {
    const html = page();
    assert.match(
      html,
      /<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">/,
    );
    assert.equal(
      /<(?:script|link|img|iframe|object|embed)\b|\ssrc=|url\(|@import|javascript:/i.test(html),
      false,
      name,
    );
    assert.equal(/href="(?!#)/.test(html), false, name);
    assert.ok(html.includes("&lt;Atlantis&gt;") || name !== "run", "texts of servers are no markup");
    for (const tag of ["table", "figure", "svg", "div", "dl", "details", "p"]) {
      const count = (pattern: string): number => html.match(new RegExp(pattern, "g"))?.length ?? 0;
      assert.equal(count(`<${tag}[ >]`), count(`</${tag}>`), `${name} ${tag}`);
    }
  }
});

test(
  "bench: a page passes axe and fits, on a desk and on a phone, by day and by night",
  { timeout: 120_000, skip: !hasChromium },
  () => {
    for (const [name, page] of pages)
      for (const [width, isDark] of [
        [1280, false],
        [375, false],
        [375, true],
      ] as const) {
        const { violations, overflow } = lookAt(page(), width, isDark);
        assert.deepEqual(violations, [], `${name} at ${width}`);
        assert.ok(overflow <= 0, `${name} is ${overflow} px wider than ${width}`);
      }
  },
);

test("bench: axe sees what is wrong with a page", { timeout: 120_000, skip: !hasChromium }, () => {
  const bad = htmlReport(sampleRun).replace('<html lang="en">', "<html>").replace("--dim: #4a5867", "--dim: #e0e0e0");
  const { violations } = lookAt(bad, 1280);
  assert.ok(
    violations.some((each) => each.startsWith("html-has-lang")),
    violations.join("\n"),
  );
  assert.ok(
    violations.some((each) => each.startsWith("color-contrast")),
    violations.join("\n"),
  );
});
