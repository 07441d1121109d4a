// The members that the commonest messages are routed by, found in one pass that makes no objects; the rest is left to the scan.

import { isUtf8 } from "node:buffer";
import { Skim } from "./skim.ts";

const quote = 0x22;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const zero = 0x30;
/** Of `"2.0"`. */
const version = [quote, 0x32, 0x2e, 0x30, quote] as const;
/** Digits that a number holds without a loss. */
const maxDigits = 15;

type Form = "call" | "result" | "progress";

/** Which members were seen, as bits: a second one of a name is left to the scan. */
const seenVersion = 1;
const seenId = 2;
const seenMethod = 4;
const seenParams = 8;
const seenResult = 16;
const seenName = 32;
const seenArguments = 64;
const seenMeta = 128;

/**
 * Looks at one message at a time; false says nothing of it, but that `scan` has to look. What is true is true of the scan
 * too: the text is valid JSON in UTF-8, of this form, without a member twice, and without others that mean something.
 */
export class Glance {
  /** Of the raw id. */
  idStart = 0;
  idEnd = 0;
  /** Of `params.name` with its quotes. */
  nameStart = 0;
  nameEnd = 0;
  /** Of the raw progress token; both 0 where there is none. */
  tokenStart = 0;
  tokenEnd = 0;
  /** Of the params of progress. */
  paramsStart = 0;
  paramsEnd = 0;
  readonly #skim = new Skim();
  #seen = 0;
  /** Where the message ends. */
  #at = 0;

  /** Whether the call has a `_meta` in which there is nothing. */
  get hasEmptyMeta(): boolean {
    return (this.#seen & seenMeta) !== 0 && this.tokenEnd === 0;
  }

  /** Whether the bytes from `start` on are a request of `tools/call` with a name that is written without escapes. */
  call(bytes: Uint8Array, start: number): boolean {
    this.#begin(bytes);
    const members = seenVersion | seenId | seenMethod | seenParams;
    return this.#end(this.#isAll(start, "call"), members | seenName);
  }

  /** The id of the result that the bytes from `start` on are, where it is a whole number; -1 for anything else. */
  result(bytes: Uint8Array, start: number): number {
    this.#begin(bytes);
    return this.#end(this.#isAll(start, "result"), seenVersion | seenId | seenResult)
      ? this.#number(this.idStart, this.idEnd)
      : -1;
  }

  /**
   * The progress token of the notification of progress that the bytes are, on one line, where it is a whole number; -1 for
   * anything else.
   */
  progress(bytes: Uint8Array, start: number, end: number): number {
    this.#begin(bytes);
    // What follows is looked at only where it is a part of the message.
    if (!this.#message(start, "progress") || this.#at !== end || this.#skim.breaks || this.tokenEnd === 0) return -1;
    return this.#end(true, seenVersion | seenMethod | seenParams) ? this.#number(this.tokenStart, this.tokenEnd) : -1;
  }

  #begin(bytes: Uint8Array): void {
    this.#skim.bytes = bytes;
    this.#skim.high = 0;
    this.#skim.breaks = false;
    this.#seen = 0;
    this.#at = 0;
    this.tokenStart = this.tokenEnd = 0;
  }

  #end(isWhole: boolean, needed: number): boolean {
    const { bytes, high } = this.#skim;
    return isWhole && (this.#seen & needed) === needed && (high < 0x80 || isUtf8(bytes));
  }

  #number(start: number, end: number): number {
    const { bytes } = this.#skim;
    if (end - start > maxDigits) return -1;
    let value = 0;
    for (let at = start; at < end; at += 1) {
      const digit = (bytes[at] ?? 0) - zero;
      if (digit < 0 || digit > 9) return -1;
      value = value * 10 + digit;
    }
    return value;
  }

  /** Whether the bytes from `start` on are nothing but the message. */
  #isAll(start: number, form: Form): boolean {
    return this.#message(start, form) && this.#skim.blank(this.#at) === this.#skim.bytes.length;
  }

  #message(start: number, form: Form): boolean {
    const skim = this.#skim;
    const { bytes } = skim;
    if (bytes[start] !== openBrace) return false;
    let at = start + 1;
    for (;;) {
      at = skim.blank(at);
      const key = at + 1;
      const keyEnd = skim.key(at);
      if (keyEnd < 0) return false;
      const value = skim.value(keyEnd);
      if (value < 0) return false;
      const end = form === "result" ? this.#ofReply(key, keyEnd, value) : this.#ofMethod(key, keyEnd, value, form);
      if (end < 0) return false;
      at = skim.blank(end);
      if (bytes[at] === closeBrace) break;
      if (bytes[at] !== comma) return false;
      at += 1;
    }
    this.#at = at + 1;
    return true;
  }

  #ofReply(key: number, keyEnd: number, value: number): number {
    const skim = this.#skim;
    const length = keyEnd - key;
    if (length === 2 && skim.reads(key, "id")) return this.#id(value);
    if (length === 7 && skim.reads(key, "jsonrpc")) return this.#version(value);
    if (length === 6 && skim.reads(key, "result") && this.#skim.bytes[value] === openBrace)
      return this.#once(seenResult) ? skim.skip(value, 1) : -1;
    return -1;
  }

  #ofMethod(key: number, keyEnd: number, value: number, form: "call" | "progress"): number {
    const skim = this.#skim;
    const length = keyEnd - key;
    if (length === 2 && form === "call" && skim.reads(key, "id")) return this.#id(value);
    if (length === 7 && skim.reads(key, "jsonrpc")) return this.#version(value);
    if (length === 6 && skim.reads(key, "params")) {
      if (!this.#once(seenParams)) return -1;
      if (form === "call") return this.#params(value);
      this.paramsStart = value;
      this.paramsEnd = this.#progress(value);
      return this.paramsEnd;
    }
    if (length !== 6 || !skim.reads(key, "method") || !this.#once(seenMethod)) return -1;
    const method = form === "call" ? "tools/call" : "notifications/progress";
    const end = value + method.length + 2;
    const { bytes } = skim;
    return bytes[value] === quote && skim.reads(value + 1, method) && bytes[end - 1] === quote ? end : -1;
  }

  #params(start: number): number {
    const skim = this.#skim;
    const { bytes } = skim;
    if (bytes[start] !== openBrace) return -1;
    let at = start + 1;
    for (;;) {
      at = skim.blank(at);
      const key = at + 1;
      const keyEnd = skim.key(at);
      const value = keyEnd < 0 ? keyEnd : skim.value(keyEnd);
      if (value < 0) return -1;
      const length = keyEnd - key;
      if (length === 4 && skim.reads(key, "name")) {
        if (!this.#once(seenName)) return -1;
        this.nameStart = value;
        const end = skim.key(value);
        this.nameEnd = end + 1;
        at = end < 0 ? -1 : end + 1;
      } else if (length === 9 && skim.reads(key, "arguments"))
        at = this.#once(seenArguments) ? skim.skip(value, 2) : -1;
      else if (length === 5 && skim.reads(key, "_meta")) at = this.#once(seenMeta) ? this.#meta(value) : -1;
      else return -1;
      if (at < 0) return -1;
      at = skim.blank(at);
      if (bytes[at] === closeBrace) return at + 1;
      if (bytes[at] !== comma) return -1;
      at += 1;
    }
  }

  /** Nothing but a progress token; what else there is may say that the message is of another revision. */
  #meta(start: number): number {
    const skim = this.#skim;
    const { bytes } = skim;
    if (bytes[start] !== openBrace) return -1;
    const key = skim.blank(start + 1) + 1;
    if (bytes[key - 1] === closeBrace) return key;
    const keyEnd = skim.key(key - 1);
    if (keyEnd - key !== 13 || !skim.reads(key, "progressToken")) return -1;
    const value = skim.value(keyEnd);
    const end = value < 0 ? value : skim.skip(value, 3);
    const at = end < 0 ? -1 : skim.blank(end);
    if (at < 0 || bytes[at] !== closeBrace) return -1;
    this.tokenStart = value;
    this.tokenEnd = end;
    return at + 1;
  }

  #progress(start: number): number {
    const skim = this.#skim;
    const { bytes } = skim;
    if (bytes[start] !== openBrace) return -1;
    let at = start + 1;
    for (;;) {
      at = skim.blank(at);
      const keyEnd = skim.key(at);
      const value = keyEnd < 0 ? keyEnd : skim.value(keyEnd);
      const end = value < 0 ? value : skim.skip(value, 2);
      if (end < 0) return -1;
      if (keyEnd - at === 14 && skim.reads(at + 1, "progressToken")) {
        if (this.tokenEnd > 0) return -1;
        this.tokenStart = value;
        this.tokenEnd = end;
      }
      at = skim.blank(end);
      if (bytes[at] === closeBrace) return at + 1;
      if (bytes[at] !== comma) return -1;
      at += 1;
    }
  }

  #once(member: number): boolean {
    if ((this.#seen & member) !== 0) return false;
    this.#seen |= member;
    return true;
  }

  #id(start: number): number {
    const skim = this.#skim;
    if (!this.#once(seenId)) return -1;
    const first = this.#skim.bytes[start] ?? 0;
    const end = first === quote ? skim.string(start + 1) : skim.number(start);
    this.idStart = start;
    this.idEnd = end;
    return end;
  }

  #version(start: number): number {
    if (!this.#once(seenVersion)) return -1;
    for (let index = 0; index < version.length; index += 1)
      if (this.#skim.bytes[start + index] !== version[index]) return -1;
    return start + version.length;
  }
}
