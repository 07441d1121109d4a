// Lines on a terminal that are drawn again as things change; nothing at all where stderr is no terminal.

import process from "node:process";
import { paintFor } from "./output.ts";

export class Live {
  #drawn = 0;
  readonly #isOn: boolean;

  constructor(isOn: boolean = process.stderr.isTTY && process.env["TERM"] !== "dumb" && !process.env["CI"]) {
    this.#isOn = isOn;
  }

  /** Puts these lines in the place of the last ones; they must fit the terminal. */
  draw(lines: readonly string[]): void {
    if (!this.#isOn) return;
    const rows = Math.max(1, (process.stderr.rows || 24) - 1);
    const shown = lines.slice(0, rows).map((line) => paintFor(process.stderr, line, "dim"));
    process.stderr.write(`${this.#erasure()}${shown.map((line) => `${line}\n`).join("")}`);
    this.#drawn = shown.length;
  }

  clear(): void {
    if (!this.#isOn || this.#drawn === 0) return;
    process.stderr.write(this.#erasure());
    this.#drawn = 0;
  }

  /** Up to the first line, and nothing below it. */
  #erasure(): string {
    return this.#drawn === 0 ? "" : `\u001b[${this.#drawn}F\u001b[0J`;
  }
}
