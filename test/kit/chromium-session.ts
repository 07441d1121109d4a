// Headless Chromium, driven: pages are opened, buttons pressed, and what is shown is kept as a picture.
import { writeFileSync } from "node:fs";
import { type Browser, launch, type Page } from "puppeteer-core";
import { axeSource, chromium, lookScript } from "./chromium.ts";
import type { Look } from "./chromium.ts";

/** A browser with one page, in which nobody was before. */
export class ChromiumSession implements AsyncDisposable {
  readonly #browser: Browser;
  readonly page: Page;
  /** Errors of scripts, and what they wrote to the console. */
  readonly complaints: string[] = [];
  /** Where requests were sent. */
  readonly origins: Set<string> = new Set();

  private constructor(browser: Browser, page: Page) {
    this.#browser = browser;
    this.page = page;
    page.on("console", (message) => this.complaints.push(message.text()));
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("request", (request) => this.origins.add(new URL(request.url()).origin));
  }

  static async start(): Promise<ChromiumSession> {
    const browser = await launch({ executablePath: chromium, args: ["--no-sandbox", "--hide-scrollbars"] });
    return new ChromiumSession(browser, await browser.newPage());
  }

  /** The size of the window, in pixels as pages count them; `isDark`: at night. */
  async window(width: number, height: number, isDark = false): Promise<void> {
    await this.page.setViewport({ width, height, isMobile: width < 500 });
    await this.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: isDark ? "dark" : "light" }]);
  }

  async open(url: string): Promise<void> {
    await this.page.goto(url);
  }

  /** Presses what a selector names, and waits for the page behind it. */
  async press(selector: string): Promise<void> {
    await Promise.all([this.page.waitForNavigation(), this.page.click(selector)]);
  }

  /** The value of an expression in the page. */
  async read(expression: string): Promise<unknown> {
    return await this.page.evaluate(expression);
  }

  /** Waits until an element says something like this. */
  async says(selector: string, pattern: RegExp): Promise<void> {
    const at = JSON.stringify(selector);
    const expression = `new RegExp(${JSON.stringify(pattern.source)}).test(document.querySelector(${at})?.textContent ?? "")`;
    await this.page.waitForFunction(expression, { timeout: 120_000 });
  }

  /** What axe-core says of the page, and whether it fits. */
  async look(): Promise<Look> {
    await this.read(`${axeSource()};0`);
    return JSON.parse(String(await this.read(lookScript)));
  }

  async picture(file: string): Promise<void> {
    writeFileSync(file, await this.page.screenshot({ fullPage: true }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
