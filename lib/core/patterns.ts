// Regular expressions of JSON Schemas, in time linear in the text: what they are tried on, and often they themselves, is foreign.

interface Pattern {
  test(text: string): boolean;
  /** Validators tell patterns apart by it. */
  toString(): string;
}

/** As validators of JSON Schemas take it in the place of `RegExp`. */
export interface PatternEngine {
  (pattern: string, flags?: string): Pattern;
  /** Its name in code that a validator writes. */
  code: string;
}

/**
 * Its library takes a while to load. The engine throws for a pattern that needs to look back or around; with `isLoose`
 * such a pattern fits everything.
 */
export async function loadPatterns(isLoose: boolean = false): Promise<PatternEngine> {
  const { RE2JS } = await import("re2js");
  const compile = (pattern: string): Pattern => {
    try {
      const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
      return { test: (text: string) => compiled.test(text), toString: () => pattern };
    } catch (error) {
      if (!isLoose) throw error;
      return { test: () => true, toString: () => pattern };
    }
  };
  return Object.assign(compile, { code: "linear" });
}

/** Whether a pattern needs no look around and no reference back, and so may be tried in linear time. */
export function isLinearPattern(pattern: string): boolean {
  if (/\(\?(?:<?[=!])|(?<!\\)(?:\\\\)*\\(?:[1-9]|k<)/.test(pattern)) return false;
  const counts = [...pattern.matchAll(/(?<!\\)(?:\\\\)*\{(\d+)(?:,(\d*))?\}/g)].flatMap(([, least, most]) => [
    least,
    most,
  ]);
  if (counts.some((count) => Number(count ?? 0) > maxCount)) return false;
  try {
    return new RegExp(pattern, "u").source !== "";
  } catch {
    return false;
  }
}

/** Of repetitions: each is a part of the program that a pattern becomes. */
const maxCount = 1000;
