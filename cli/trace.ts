// `--trace`: each message on the wire, with the time since the one before, on stderr; secrets are masked.

import process from "node:process";
import { maskMessage, type WireTap } from "../lib/toolbox.ts";
import { say } from "./output.ts";

const longest = 2_000;

export function createTrace(name: string): WireTap {
  let last = performance.now();
  const note = (mark: string, text: string): void => {
    const now = performance.now();
    const since = `+${(now - last).toFixed(1)} ms`.padStart(11);
    last = now;
    const masked = maskMessage(text);
    const isCut = process.stderr.isTTY && masked.length > longest;
    say(`${name} ${mark} ${isCut ? `${masked.slice(0, longest)}… (${masked.length} characters)` : masked}`, {
      text: `${since} `,
      color: "dim",
    });
  };
  const decoder = new TextDecoder();
  return {
    opened: () => {},
    sent: (message) => note("→", decoder.decode(message).trim()),
    received: (message) => note("←", decoder.decode(message).trim()),
    answered: (status) => note("·", `HTTP ${status}`),
  };
}
