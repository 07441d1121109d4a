// Readers of plain values: what each means, or undefined where it is refused; accept and its sections are made of them.

import { isRecord } from "../core/text.ts";
import { digitsPattern } from "./rules.ts";

/** What a value means; undefined where it is refused. */
export type Reader<T> = (value: unknown) => T | undefined;
export type Fields<T> = { readonly [Key in keyof T]-?: Reader<NonNullable<T[Key]>> };

export function anyText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function matching(pattern: RegExp): Reader<string> {
  return (value) => (typeof value === "string" && pattern.test(value) ? value : undefined);
}

export function flag(value: unknown): boolean | undefined {
  if (value === "true" || value === "false") return value === "true";
  return typeof value === "boolean" ? value : undefined;
}

export function integer(min: number, max: number): Reader<number> {
  return (value) => {
    const number = typeof value === "string" && digitsPattern.test(value) ? Number(value) : value;
    return typeof number === "number" && Number.isInteger(number) && number >= min && number <= max
      ? number
      : undefined;
  };
}

export function quantity(parse: (text: string) => number | undefined, min: number, max: number): Reader<number> {
  return (value) => {
    const amount = typeof value === "string" ? parse(value) : undefined;
    return amount !== undefined && amount >= min && amount <= max ? amount : undefined;
  };
}

export function oneOf<const Word extends string>(...words: readonly Word[]): Reader<Word> {
  return (value) => words.find((word) => word === value);
}

export function listOf<T>(item: Reader<T>, minLength = 0): Reader<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length < minLength) return undefined;
    const items: T[] = [];
    for (const each of value) {
      const read = item(each);
      if (read === undefined) return undefined;
      items.push(read);
    }
    return items;
  };
}

export function mapOf<T>(key: Reader<string>, item: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (value) => {
    if (!isRecord(value)) return undefined;
    const items: Record<string, T> = {};
    for (const [name, inner] of Object.entries(value)) {
      const read = item(inner);
      // The name of the prototype is no key to write to.
      if (read === undefined || key(name) === undefined || name === "__proto__") return undefined;
      items[name] = read;
    }
    return items;
  };
}

// The type of the fields is the type of what they read, which the compiler cannot follow through a loop.
export function fieldsOf<T>(fields: Fields<T>, required?: readonly (keyof T & string)[]): Reader<T>;
export function fieldsOf(
  fields: Readonly<Record<string, Reader<unknown>>>,
  required: readonly string[] = [],
): Reader<Readonly<Record<string, unknown>>> {
  return (value) => {
    if (!isRecord(value)) return undefined;
    const read: Record<string, unknown> = {};
    for (const [key, inner] of Object.entries(value)) {
      const item = Object.hasOwn(fields, key) ? fields[key]?.(inner) : undefined;
      if (item === undefined) return undefined;
      read[key] = item;
    }
    return required.every((key) => Object.hasOwn(read, key)) ? read : undefined;
  };
}
