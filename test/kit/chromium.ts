// Headless Chromium, where this machine has one: what a page looks like to it, and what axe-core says of it.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createFolder } from "../cli/kit.ts";
import { findProgram, provide } from "./packages.ts";

const find = (): string | undefined =>
  findProgram("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");
const program: string | undefined = find() ?? (provide("chromium", "chromium") ? find() : undefined);

/** Its path. */
export const chromium: string = program ?? "chromium";

/** False where there is none: tests that need it are skipped. */
export const hasChromium: boolean = program !== undefined;

export interface Look {
  /** Ids of the rules that the page breaks, each with the elements. */
  readonly violations: readonly string[];
  /** How much wider than the window the page is, in pixels. */
  readonly overflow: number;
}

export function axeSource(): string {
  return readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
}

/** An expression that becomes a {@link Look} as JSON, where axe-core is. */
export const lookScript = `axe.run(document, { resultTypes: ["violations"] }).then((result) => {
  const violations = result.violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" "));
  const overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  return JSON.stringify({ violations, overflow });
})`;

const script = `
axe.run(document, { resultTypes: ["violations"] }).then((result) => {
  const violations = result.violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" "));
  const overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  document.title = "LOOK" + btoa(unescape(encodeURIComponent(JSON.stringify({ violations, overflow })))) + "END";
  document.documentElement.setAttribute("data-look", document.title);
});`;

/** Opens a page in a window of that width and asks axe-core. */
export function lookAt(html: string, width: number, isDark = false): Look {
  using folder = createFolder();
  const axe = axeSource();
  // The page itself forbids every script.
  const open = html.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "").replace('"light dark"', '"light"');
  const tested = open.replace("</body>", () => `<script>${axe}</script><script>${script}</script></body>`);
  const inner = tested.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  // A window cannot be as narrow as a phone, and a frame can.
  const outer = `<!doctype html><title>frame</title><iframe srcdoc="${inner}" style="width:${width}px;height:900px"></iframe>
<script>const frame = document.querySelector("iframe");
const timer = setInterval(() => {
  const look = frame.contentDocument?.documentElement.getAttribute("data-look");
  if (look) { document.documentElement.setAttribute("data-look", look); frame.remove(); clearInterval(timer); }
}, 50);</script>`;
  const file = join(folder.path, "page.html");
  writeFileSync(file, outer);
  const options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"];
  const dark = isDark ? ["--blink-settings=preferredColorScheme=0"] : [];
  const profile = `--user-data-dir=${join(folder.path, "profile")}`;
  const { stdout, stderr } = spawnSync(
    chromium,
    [...options, ...dark, profile, `--window-size=${Math.max(width + 40, 600)},1000`, `file://${file}`],
    { encoding: "utf8", timeout: 120_000, maxBuffer: 64 * 2 ** 20 },
  );
  const [, encoded] = /data-look="LOOK([A-Za-z0-9+/=]+)END"/.exec(stdout) ?? [];
  if (encoded === undefined) throw new Error(`the page was not looked at: ${stderr.slice(-1000)}`);
  return JSON.parse(Buffer.from(encoded, "base64").toString());
}
