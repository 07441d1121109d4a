// Everything that people see: messages on stderr, answers on stdout, colours on terminals alone.

import process from "node:process";
import { isTerminal, sinks } from "../lib/sink.ts";

export type Color = "red" | "yellow" | "green" | "cyan" | "bold" | "dim";

const sgr: Readonly<Record<Color, number>> = { red: 31, yellow: 33, green: 32, cyan: 36, bold: 1, dim: 2 };

interface Lead {
  readonly text: string;
  readonly color?: Color | undefined;
}

/** One line for people, whatever the log level; control characters in it do nothing to the terminal. */
export function say(text: string, lead?: Lead): void {
  const head = lead ? paint(visible(lead.text), lead.color) : "";
  // Where stderr is gone, nobody is left to tell.
  sinks[2].tell(`${head}${visible(text)}\n`);
}

/** Lines for people that are painted already, and harmless otherwise. */
export function sayPainted(lines: readonly string[]): void {
  sinks[2].tell(lines.map((line) => `${line}\n`).join(""));
}

/** The answer of a command. Resolves when it has left, also where its reader has gone (`mcpctl schema | head`). */
export async function answer(text: string): Promise<void> {
  await print(`${text}\n`);
}

/** A part of an answer, exactly as it is; false where its reader has gone, so that the rest need not be made. */
export async function print(text: string | Uint8Array): Promise<boolean> {
  const failure = await sinks[1].write(text);
  if (!(failure instanceof Error)) return true;
  if ("code" in failure && failure.code === "EPIPE") return false;
  const { GatewayError } = await import("../lib/index.ts");
  throw new GatewayError("output", `the answer could not be written (${failure.message})`, { cause: failure });
}

/** Resolves when all that was said has left, and the answer too, if it could be written. */
export async function flush(isAnswered: boolean): Promise<void> {
  if (isAnswered) await sinks[1].flush();
  await sinks[2].flush();
}

function paint(text: string, color: Color | undefined): string {
  return color !== undefined && isTerminal(2) ? paintFor(process.stderr, text, color) : text;
}

/** The text in a colour where the stream is a terminal that shows colours, and somebody wants them. */
export function paintFor(stream: NodeJS.WriteStream, text: string, color: Color | undefined): string {
  const isPlain = color === undefined || !stream.isTTY || process.env["NO_COLOR"] || process.env["TERM"] === "dumb";
  return isPlain || text === "" ? text : `\u001b[${sgr[color]}m${text}\u001b[0m`;
}

/** A line in as many as a terminal needs, broken between words, what follows standing under its beginning. */
export function fold(stream: NodeJS.WriteStream, line: string): readonly string[] {
  return foldAt(stream.isTTY ? stream.columns || 80 : Infinity, line);
}

/** The same for a width. */
export function foldAt(width: number, line: string): readonly string[] {
  // oxlint-disable-next-line no-control-regex
  const widthOf = (text: string): number => text.replace(/\u001b\[[0-9;]*m/g, "").length;
  if (widthOf(line) <= width) return [line];
  const indent = `${/^ */.exec(line)?.[0] ?? ""}    `;
  const lines = [""];
  for (const word of line.split(/(?<=\S) /)) {
    const last = lines.at(-1) ?? "";
    const joined = last.trim() === "" ? last + word : `${last} ${word}`;
    if (widthOf(joined) <= width || last.trim() === "") lines[lines.length - 1] = joined;
    else lines.push(indent + word);
  }
  return lines;
}

/** Text of a server for a terminal: its control characters do nothing. */
export function plain(text: string): string {
  return visible(text);
}

/** Backends write what they like to their stderr and into their errors. */
function visible(text: string): string {
  return text.replace(/[^\P{Cc}\t\n]/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
