// Lines of the audit log as bytes, each with a hash over itself and the line before; what calls have in common is written once.

import { hash as digest } from "node:crypto";
import type { Flight } from "../core/flight.ts";
import { copyPart, putAscii, putNumber } from "../core/text.ts";

/** What the first line of all follows. */
export const origin: string = "0".repeat(64);
const hashChars = origin.length;
const start = '{"seq":';
const tail = Buffer.from(`,"hash":"${origin}"}\n`);
const tailHashAt = 9;
/** In `,"time":"0000-00-00T00:00:00.000Z",`. */
const timeAt = 9;
const millisAt = timeAt + 20;
const replica = Buffer.from(',"replica":');
const traceId = ',"traceId":"';
const requestBytes = Buffer.from(',"requestBytes":');
const replyBytes = Buffer.from(',"replyBytes":');
const tookMs = Buffer.from(',"tookMs":');
/** Digits of numbers, and what stands between members. */
const spareBytes = 512;
const roomBytes = 4096;
/** Names come from clients. */
const maxKnown = 1_000;
const maxKnownBytes = 1_024;

const quote = 0x22;
const zero = 0x30;
const backslash = 0x5c;
const closeBrace = 0x7d;

/** What the lines of one principal's calls of one thing have in common, as long as this is so. */
interface Known {
  readonly method: string;
  readonly view: string;
  readonly backend: string;
  readonly bytes: Buffer;
}

/** Makes one line at a time. */
export class AuditLines {
  /** Of the line that was made last. */
  seq: number;
  hash: string;
  /** The hash that the next line follows, and then the line: what is hashed lies in one piece. */
  #room: Buffer = Buffer.alloc(0);
  /** Its beginnings, by their lengths, which are mostly the same. */
  #parts: (Buffer | undefined)[] = [];
  #now = -1;
  #second = -1;
  /** As JSON, with what stands around it; many lines share it. */
  readonly #time: Buffer = Buffer.from(',"time":"0000-00-00T00:00:00.000Z",');
  readonly #known = new Map<string, Map<string, Known>>();
  #knownCount = 0;
  /** Outcomes of calls that a rule of the policy allows, or none has to: by its number, 0 for no rule. */
  readonly #answered = new Map<Flight["decision"], (Buffer | undefined)[]>();

  constructor(seq: number, hash: string) {
    this.seq = seq;
    this.hash = hash;
    this.#makeRoom(roomBytes);
  }

  /** An entry that is JSON already: an object with a member at least. Returns how long its line is. */
  entry(json: string, now: number): number {
    const size = Buffer.byteLength(json);
    this.#makeRoom(size);
    const at = this.#begin(now);
    // Its brace is here already.
    return this.#end(at + this.#room.write(json.slice(1), at));
  }

  /** A call that is over, and more members of its line, each behind its comma. Returns how long that is. */
  call(flight: Flight, more: string = ""): number {
    const { id, endedAt, at } = flight;
    const { bytes } = this.#knownOf(flight);
    this.#makeRoom(bytes.length + 6 * id.length + 3 * more.length);
    const room = this.#room;
    let to = copyPart(bytes, 0, bytes.length, room, this.#begin(endedAt));
    to = putText(id, room, to);
    if (flight.replica >= 0) to = putMember(replica, flight.replica, room, to);
    const trace = flight.trace?.traceId ?? flight.traceId;
    if (trace !== "") to = putAscii(`${traceId}${trace}"`, room, to);
    if (flight.code === "" && !flight.failed) {
      const answered = this.#answeredAs(flight);
      to = copyPart(answered, 0, answered.length, room, to);
    } else to = putAscii(outcomeOf(flight), room, to);
    if (flight.requestBytes > 0) to = putMember(requestBytes, flight.requestBytes, room, to);
    if (flight.replyBytes > 0) to = putMember(replyBytes, flight.replyBytes, room, to);
    if (more !== "") to += room.write(more, to);
    to = putMember(tookMs, Math.max(0, endedAt - at), room, to);
    room[to] = closeBrace;
    return this.#end(to + 1);
  }

  /** Copies the line that was made last. */
  copy(length: number, target: Buffer, at: number): void {
    this.#room.copy(target, at, hashChars, hashChars + length);
  }

  #begin(now: number): number {
    if (now !== this.#now) this.#setTime(now);
    this.seq += 1;
    const to = putNumber(this.seq, this.#room, hashChars + start.length);
    return copyPart(this.#time, 0, this.#time.length, this.#room, to);
  }

  #setTime(now: number): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) this.#time.write(new Date(now).toISOString(), timeAt);
    this.#now = now;
    this.#second = second;
    const ms = now - second * 1000;
    this.#time[millisAt] = zero + Math.floor(ms / 100);
    this.#time[millisAt + 1] = zero + (Math.floor(ms / 10) % 10);
    this.#time[millisAt + 2] = zero + (ms % 10);
  }

  #end(end: number): number {
    const room = this.#room;
    this.hash = digest("sha256", (this.#parts[end] ??= room.subarray(0, end)), "hex");
    room.write(this.hash, 0, hashChars, "latin1");
    // Over the brace, which comes again behind the hash.
    copyPart(tail, 0, tail.length, room, end - 1);
    room.copy(room, end - 1 + tailHashAt, 0, hashChars);
    return end - 1 + tail.length - hashChars;
  }

  #makeRoom(bytes: number): void {
    const size = bytes + spareBytes + hashChars + tail.length;
    const isRoomy = this.#room.length >= size && this.#room.length <= Math.max(roomBytes, size);
    if (isRoomy) return;
    this.#room = Buffer.alloc(Math.max(roomBytes, size));
    this.#parts = [];
    this.#room.write(this.hash + start, "latin1");
  }

  #answeredAs(flight: Flight): Buffer {
    const { decision, rule = 0 } = flight;
    let known = this.#answered.get(decision);
    if (!known) this.#answered.set(decision, (known = []));
    return (known[rule] ??= Buffer.from(outcomeOf(flight)));
  }

  #knownOf(flight: Flight): Known {
    const { principal, name, method, view, backend } = flight;
    const known = this.#known.get(principal)?.get(name);
    if (known && known.method === method && known.view === view && known.backend === backend) return known;
    const made = { method, view, backend, bytes: Buffer.from(commonOf(flight)) };
    if (made.bytes.length > maxKnownBytes) return made;
    if (this.#knownCount >= maxKnown) {
      this.#known.clear();
      this.#knownCount = 0;
    }
    let names = this.#known.get(principal);
    if (!names) this.#known.set(principal, (names = new Map()));
    names.set(name, made);
    this.#knownCount += 1;
    return made;
  }
}

function commonOf({ principal, method, name, view, backend }: Flight): string {
  return (
    `"event":"call","principal":${JSON.stringify(principal)},"method":${JSON.stringify(method)}` +
    `,"name":${JSON.stringify(name)}` +
    (view === "" ? "" : `,"view":${JSON.stringify(view)}`) +
    (backend === "" ? "" : `,"backend":${JSON.stringify(backend)}`) +
    ',"id":'
  );
}

function outcomeOf({ code, failed, decision, rule }: Flight): string {
  const outcome = code !== "" ? "refused" : failed ? "failed" : "answered";
  return (
    `,"outcome":"${outcome}"` +
    (code === "" ? "" : `,"code":"${code}"`) +
    (decision === "" ? "" : `,"decision":"${decision}"`) +
    (rule === undefined ? "" : `,"rule":${rule}`)
  );
}

/** A name that stands behind its comma, and a whole number. */
function putMember(name: Buffer, value: number, room: Buffer, at: number): number {
  return putNumber(value, room, copyPart(name, 0, name.length, room, at));
}

/** A text as JSON; most ids are numbers. */
function putText(text: string, room: Buffer, at: number): number {
  room[at] = quote;
  let to = at + 1;
  for (let from = 0; from < text.length; from += 1) {
    const char = text.charCodeAt(from);
    if (char < 0x20 || char > 0x7e || char === quote || char === backslash)
      return at + room.write(JSON.stringify(text), at);
    room[to] = char;
    to += 1;
  }
  room[to] = quote;
  return to + 1;
}
