// What a server lets be seen beside its messages: what it prints to stderr, and what of its stdout is no message.

import type { LogLevel, Observer } from "../core/observer.ts";

const maxLines = 20;

export class Evidence implements Observer {
  /** The last lines of stderr. */
  readonly stderr: string[] = [];
  /** The first lines of stdout that are no messages. */
  readonly stdout: string[] = [];
  /** What else is odd: messages that answer nothing, and the like. */
  readonly oddities: string[] = [];

  log(level: LogLevel, _source: string, message: string): void {
    if (level === "info") return keepLast(this.stderr, message);
    const [, quoted] = /^stdout held a line that is no message: (".*")$/s.exec(message) ?? [];
    if (quoted === undefined) return this.strayed(message);
    if (this.stdout.length < maxLines) this.stdout.push(unquote(quoted));
  }

  forget(): void {
    this.stderr.length = 0;
    this.stdout.length = 0;
    this.oddities.length = 0;
  }

  strayed(what: string): void {
    keepLast(this.oddities, what);
  }
}

function keepLast(lines: string[], line: string): void {
  lines.push(line);
  if (lines.length > maxLines) lines.shift();
}

function unquote(quoted: string): string {
  const text: unknown = JSON.parse(quoted);
  return String(text);
}
