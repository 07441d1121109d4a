// Those who watch the messages of a running gateway: each with its own filter, none of them in the way of a call.

import { matcherOf } from "../core/glob.ts";
import { GatewayError } from "../core/errors.ts";
import { every } from "../core/scope.ts";
import { encodeText } from "../core/text.ts";
import type { EventSink } from "./eventlog.ts";
import type { EventBody } from "./exchange.ts";
import type { Sight, Watch } from "./tap.ts";

/** Where the messages come from. */
export interface Overheard {
  /** Hands each message of clients on, or none any more. */
  listen(watch: Watch | undefined): void;
  /** A text without secrets. */
  mask(text: string): string;
}

interface Seat {
  readonly sink: EventSink;
  readonly wants: (sight: Sight) => boolean;
  readonly maxBytes: number;
  /** Messages that came faster than they were read. */
  missed: number;
}

const maxSeats = 16;
/** Proxies and clients give up what is silent. */
const silentMs = 10_000;
const defaultMaxBytes = 64 * 1024;
const blank = encodeText("\n");

export class Audience {
  readonly #source: Overheard;
  readonly #seats = new Set<Seat>();
  #stopTicking: (() => void) | undefined;

  constructor(source: Overheard) {
    this.#source = source;
  }

  /** A stream of what is asked for; throws `overloaded` where too many watch already. */
  seat(asked: URLSearchParams): EventBody["open"] {
    if (this.#seats.size >= maxSeats)
      throw new GatewayError("overloaded", `${maxSeats} others watch this gateway already`);
    const wants = filterOf(asked);
    const maxBytes = Number(asked.get("max")) || defaultMaxBytes;
    return (sink) => {
      const seat: Seat = { sink, wants, maxBytes, missed: 0 };
      this.#seats.add(seat);
      if (this.#seats.size === 1) this.#begin();
      // The head leaves with it: who watches knows that from here on nothing is missed.
      sink.write(blank);
      return () => this.#leave(seat);
    };
  }

  close(): void {
    for (const seat of [...this.#seats]) {
      seat.sink.end();
      this.#leave(seat);
    }
  }

  #begin(): void {
    this.#source.listen((sight, text) => this.#show(sight, text));
    this.#stopTicking = every(silentMs, () => {
      for (const { sink } of this.#seats) if (!sink.congestion) sink.write(blank);
    });
  }

  #leave(seat: Seat): void {
    if (!this.#seats.delete(seat) || this.#seats.size > 0) return;
    this.#source.listen(undefined);
    this.#stopTicking?.();
  }

  #show(sight: Sight, text: string): void {
    let masked: string | undefined;
    for (const seat of this.#seats) {
      if (!seat.wants(sight)) continue;
      if (seat.sink.congestion) {
        seat.missed += 1;
        continue;
      }
      if (seat.missed > 0) seat.sink.write(encodeText(`{"missed":${seat.missed}}\n`));
      seat.missed = 0;
      masked ??= this.#source.mask(text);
      seat.sink.write(encodeText(`${lineOf(sight, masked, seat.maxBytes)}\n`));
    }
  }
}

/** The message itself where it is one and not too large, else the beginning of its text. */
function lineOf(sight: Sight, text: string, maxBytes: number): string {
  const head = JSON.stringify(sight).slice(0, -1);
  if (sight.type !== "malformed" && text.length <= maxBytes) return `${head},"message":${text}}`;
  return `${head},"text":${JSON.stringify(text.slice(0, maxBytes).toWellFormed())}}`;
}

/** Every filter must hold; of several values of one, any. */
function filterOf(asked: URLSearchParams): (sight: Sight) => boolean {
  const tests: ((sight: Sight) => boolean)[] = [];
  for (const key of ["backend", "method", "name", "principal", "session"] as const) {
    const globs = asked.getAll(key);
    if (globs.length === 0) continue;
    const matches = matcherOf(globs);
    tests.push((sight) => matches(sight[key] ?? ""));
  }
  if (asked.has("failed")) tests.push(isFailed);
  return (sight) => tests.every((holds) => holds(sight));
}

function isFailed({ type, outcome }: Sight): boolean {
  return type === "malformed" || (outcome !== undefined && outcome !== "ok");
}
