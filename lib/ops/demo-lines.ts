// Newline-delimited JSON over a pair of streams: framing with a size limit, back-pressure, and a clean end.

import { GatewayError } from "../core/errors.ts";
import { isRecord } from "../core/text.ts";

/** Characters of one message; a longer line is refused and skipped, so that memory stays bounded. */
const maxLineLength = 16 * 1024 * 1024;

export interface LineReceiver {
  line(text: string): void;
  /** A line over the limit was skipped. */
  overlong(limit: number): void;
}

/** Writes one line; reading stops while the output is full. */
export type WriteLine = (line: string) => void;

/** The two streams as lines. */
export interface Lines {
  readonly write: WriteLine;
  /** Feeds the input's lines to the receiver, until the input ends or a stream fails. */
  readonly run: (receiver: LineReceiver) => Promise<void>;
  /** Waits until what was written has left, or never can. */
  readonly flush: () => Promise<void>;
}

export function createLines(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Lines {
  let open = true;
  let full = false;

  const write: WriteLine = (line) => {
    if (!open || output.write(`${line}\n`) || full) return;
    // A client that does not read its answers must not make us hold more of them.
    full = true;
    input.pause();
    output.once("drain", () => {
      full = false;
      input.resume();
    });
  };

  const run = (receiver: LineReceiver): Promise<void> =>
    new Promise((resolve) => {
      const splitter = createSplitter(receiver);
      const fail = (): void => {
        open = false;
        resolve();
      };
      output.on("error", fail).on("close", fail);
      input.on("error", fail).on("close", () => resolve());
      input.on("end", () => {
        splitter.end();
        resolve();
      });
      input.setEncoding("utf8");
      input.on("data", (chunk: string | Uint8Array) => splitter.push(String(chunk)));
    });

  const flush = (): Promise<void> =>
    new Promise((resolve) => {
      if (!open) return resolve();
      output.once("error", () => resolve()).once("close", () => resolve());
      output.write("", () => resolve());
    });

  return { write, run, flush };
}

function createSplitter(receiver: LineReceiver): { push(text: string): void; end(): void } {
  // Parts are joined once per line: appending to one string would look through it again for every chunk.
  let parts: string[] = [];
  let length = 0;

  const add = (part: string): void => {
    length += part.length;
    if (length <= maxLineLength) parts.push(part);
    else parts = [];
  };
  const finish = (): void => {
    const text = parts.join("").trim();
    const overlong = length > maxLineLength;
    parts = [];
    length = 0;
    if (overlong) receiver.overlong(maxLineLength);
    else if (text !== "") receiver.line(text);
  };

  return {
    push(text) {
      let start = 0;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
        add(text.slice(start, end));
        finish();
        start = end + 1;
      }
      if (start < text.length) add(text.slice(start));
    },
    end: finish,
  };
}

/** Parses one line. Integers that a number cannot hold become bigints, so that an id comes back as it was sent. */
export function parseLine(line: string): unknown {
  try {
    return /\d{16}/.test(line) ? JSON.parse(line, keepInteger) : JSON.parse(line);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new GatewayError("parse", `the line is not JSON: ${why}`, { cause: error });
  }
}

function keepInteger(...seen: readonly unknown[]): unknown {
  const [, value, context] = seen;
  if (typeof value !== "number" || Number.isSafeInteger(value) || !isRecord(context)) return value;
  const source = context["source"];
  return typeof source === "string" && /^-?\d+$/.test(source) ? BigInt(source) : value;
}
