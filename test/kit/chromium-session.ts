// Headless Chromium, driven: pages are opened, buttons pressed, and what is shown is kept as a picture.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createFolder } from "../cli/kit.ts";
import { axeSource, chromium, lookScript } from "./chromium.ts";
import type { Look } from "./chromium.ts";
import { recordOf } from "./fixture-world.ts";

type Params = Readonly<Record<string, unknown>>;

export class ChromiumSession implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #end: () => Promise<void>;
  readonly #waiting = new Map<number, (reply: Params) => void>();
  readonly #loads: (() => void)[] = [];
  #lastId = 0;

  private constructor(socket: WebSocket, end: () => Promise<void>) {
    this.#socket = socket;
    this.#end = end;
    socket.addEventListener("message", ({ data }) => {
      const message = recordOf(JSON.parse(String(data)));
      if (message["method"] === "Page.loadEventFired") for (const loaded of this.#loads.splice(0)) loaded();
      this.#waiting.get(Number(message["id"]))?.(message);
      this.#waiting.delete(Number(message["id"]));
    });
  }

  static async start(): Promise<ChromiumSession> {
    const folder = createFolder();
    const options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"];
    const child = spawn(chromium, [...options, `--user-data-dir=${join(folder.path, "profile")}`, "about:blank"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    const port = await new Promise<string>((resolve, reject) => {
      let said = "";
      child.stderr.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        const [, found] = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(said) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.once("exit", () => reject(new Error(`chromium has ended: ${said}`)));
    });
    const targets: unknown = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
    const page = Array.isArray(targets) ? targets.map(recordOf).find(({ type }) => type === "page") : undefined;
    const socket = new WebSocket(String(page?.["webSocketDebuggerUrl"]));
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    const session = new ChromiumSession(socket, async () => {
      socket.close();
      child.kill("SIGTERM");
      await exited;
      folder[Symbol.dispose]();
    });
    await session.#send("Page.enable");
    return session;
  }

  /** The size of the window, in pixels as pages count them; `isDark`: at night. */
  async window(width: number, height: number, isDark = false): Promise<void> {
    await this.#send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 500,
    });
    await this.#send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: isDark ? "dark" : "light" }],
    });
  }

  async open(url: string): Promise<void> {
    await this.#loaded(() => this.#send("Page.navigate", { url }));
  }

  /** Presses what a selector names, and waits for the page behind it. */
  async press(selector: string): Promise<void> {
    await this.#loaded(() => this.read(`document.querySelector(${JSON.stringify(selector)}).click()`));
  }

  /** The value of an expression in the page. */
  async read(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return recordOf(result)["value"];
  }

  /** What axe-core says of the page, and whether it fits. */
  async look(): Promise<Look> {
    await this.read(`${axeSource()};0`);
    return JSON.parse(String(await this.read(lookScript)));
  }

  async picture(file: string): Promise<void> {
    const { data } = await this.#send("Page.captureScreenshot", { format: "png", captureBeyondViewport: true });
    writeFileSync(file, Buffer.from(String(data), "base64"));
  }

  async #loaded(work: () => Promise<unknown>): Promise<void> {
    const loaded = new Promise<void>((resolve) => this.#loads.push(resolve));
    await work();
    await loaded;
  }

  async #send(method: string, params: Params = {}): Promise<Params> {
    const id = (this.#lastId += 1);
    const reply = new Promise<Params>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await reply;
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return recordOf(result);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}
