// Golden transcripts: what a command prints, kept in test/fixtures/transcripts; UPDATE_TRANSCRIPTS=1 writes them anew.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { projectRoot } from "../kit/process.ts";

/** Compares a text with the file of that name; what differs from run to run must be masked before. */
export function assertTranscript(name: string, text: string): void {
  const file = join(projectRoot, "test/fixtures/transcripts", `${name}.txt`);
  if (process.env["UPDATE_TRANSCRIPTS"] === "1" || !existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, readFileSync(file, "utf8"), `transcript ${name}`);
}

/** Times, ports and paths of this run, with the width that a time gives its column. */
export function mask(text: string): string {
  return text
    .replaceAll(/ +(?:\d+(?:\.\d+)? m?s|TIME)$/gm, (found) => (found.endsWith("TIME") ? "  TIME" : "  T"))
    .replaceAll(/\d+(?:\.\d+)? m?s\b/g, "T")
    .replaceAll(/ +(?:[\d.]+ k?B|BYTES)(?=  )/g, (found) => (found.endsWith("BYTES") ? "  BYTES" : "  N"))
    .replaceAll(/"bytes": ?\d+/g, '"bytes": 0')
    .replaceAll(/"ms": ?[\d.]+/g, '"ms": 0')
    .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT");
}
