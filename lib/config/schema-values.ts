// The values that a config file is made of, for the schema: texts, numbers, durations, sizes and shares.

import * as z from "zod";
import {
  addressPattern,
  byteRange,
  digitsPattern,
  type ListenConfig,
  maxDelayMs,
  maxPort,
  parseAddress,
  textPattern,
} from "./rules.ts";
import {
  durationPattern,
  formatDuration,
  formatSize,
  parseDuration,
  parseShare,
  parseSize,
  sharePattern,
  sizePattern,
} from "./units.ts";

export const textError: string = "expected a text; put the value in quotes";
export const text: z.ZodString = z
  .string({ error: textError })
  .regex(textPattern, { error: "a text cannot hold a NUL character" });

// Variables are texts, so a text of digits is a number, and "true" is true.
export const filled: z.ZodString = text.min(1, { error: "must not be empty" });

export const flag: z.ZodType<boolean, boolean | "true" | "false"> = z.union(
  [z.boolean(), z.enum(["true", "false"]).transform((word) => word === "true")],
  {
    error: "expected true or false",
  },
);

export function integer(min: number, max: number): z.ZodType<number, number | string> {
  const error = `expected a whole number from ${min} to ${max}`;
  const number = z.int({ error }).min(min, { error }).max(max, { error });
  const digits = z.string().regex(digitsPattern, { error }).transform(Number).pipe(number);
  return z.union([number, digits], { error });
}

/** Each way to write an address but a map: a port, and a text. */
export function address(error: string): readonly [z.ZodType<ListenConfig, number>, z.ZodType<ListenConfig, string>] {
  const port = z.int({ error }).min(0, { error }).max(maxPort, { error });
  return [
    port.transform((number) => ({ port: number })),
    text
      .regex(addressPattern, { error })
      .transform(parseAddress)
      .refine((parsed) => (parsed.port ?? 0) <= maxPort, { error }),
  ];
}

type Quantity = z.ZodOptional<z.ZodType<number, string>>;

export function duration(fallbackMs: number, minMs: number): Quantity {
  return quantity(`a duration like "${formatDuration(fallbackMs)}"`, "s", durationPattern, parseDuration)
    .refine((ms) => ms >= minMs && ms <= maxDelayMs, {
      error: minMs > 0 ? 'expected a duration from "1ms" to "24d"' : 'expected a duration of at most "24d"',
    })
    .optional()
    .meta({ fallback: formatDuration(fallbackMs) });
}

/** Of calls, failures or replicas, in percent. */
export function share(fallback: number): Quantity {
  return quantity(`a share like "${fallback * 100}%"`, "%", sharePattern, parseShare)
    .refine((part) => part <= 1, { error: 'expected a share of at most "100%"' })
    .optional()
    .meta({ fallback: `${fallback * 100}%` });
}

export function size(fallbackBytes: number): Quantity {
  return quantity(`a size like "${formatSize(fallbackBytes)}"`, "MiB", sizePattern, parseSize)
    .refine((bytes) => bytes >= byteRange[0] && bytes <= byteRange[1], {
      error: 'expected a size from "1KiB" to "2GiB"',
    })
    .optional()
    .meta({ fallback: formatSize(fallbackBytes) });
}

// A number alone says nothing: half of its readers take it for seconds, the others for milliseconds.
function quantity(what: string, unit: string, pattern: RegExp, read: (text: string) => number | undefined) {
  const error = ({ input }: { readonly input?: unknown }): string =>
    typeof input === "number" ? `a unit is missing; write "${input}${unit}"` : `expected ${what}`;
  return z
    .string({ error })
    .regex(pattern, { error: `expected ${what}` })
    .transform((written) => read(written) ?? 0);
}

/** A map without room for other keys. Its message for an unknown one is the list of the keys that it knows. */
export function strict<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? Object.keys(shape).join(" ") : undefined),
  });
}
