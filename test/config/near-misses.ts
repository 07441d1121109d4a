// Values that are good, just wrong, or anything else, to try readers of configs on.

import fc from "fast-check";

/** Values of every kind, at many limits and one step beyond. */
export const scraps: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    "true",
    "false",
    "TRUE",
    "",
    " ",
    "0",
    "1",
    "00",
    "-1",
    "1.5",
    "1e3",
    "65535",
    "65536",
    "a\0b",
  ],
  ...[0, 1, -1, -0, 1.5, 65_535, 65_536, 1_000_000, 1_000_001, 10_000_000, 10_000_001, 2 ** 53, Number.NaN, Infinity],
  ...["1ms", "0s", "0.0001s", "0.0004ms", "30s", "1.5m", "24d", "25d", "24.001d", "1 s", "s", "1KiB", "1023B", "1024B"],
  ...["2GiB", "2.1GiB", "10MB", "1.5MiB", "localhost", "127.0.0.1", "[::1]:80", "[::1]", "::1", "a:b", ":80", "a b"],
  ...[
    "127.0.0.1:65536",
    "99999",
    "7337",
    "principal",
    "session",
    "shared",
    "prefix",
    "none",
    "conflict",
    "x".repeat(16),
  ],
  ...[
    "x".repeat(15),
    `${"x".repeat(15)}\0`,
    "http://127.0.0.1/mcp",
    "9".repeat(15),
    "9".repeat(16),
    "line\nbreak",
    "1\n",
  ],
  ...[[], [""], ["a"], ["a", 1], [null], {}, { a: "b" }, { a: 1 }, { "": "" }, { "a\0": "b" }, { host: "a", port: 1 }],
  ...[
    { url: "x" },
    [{}],
    [{ url: "x" }],
    [{ replicas: [] }],
    { ca: "x", insecure: "true" },
    { ca: "" },
    { servers: 1 },
  ],
];

/** A good value, or once in a while one that is just wrong, or anything else. */
export function among(good: readonly unknown[], bad: readonly unknown[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 100, arbitrary: fc.constantFrom(...good) },
    { weight: 1, arbitrary: fc.constantFrom(...bad) },
    { weight: 1, arbitrary: fc.constantFrom(...scraps) },
  );
}

/** Some of these keys; once in a while also another one, or no map at all. */
export function mapOf(keys: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<unknown> {
  const record = fc.record(keys, { requiredKeys: [] });
  const other = fc.tuple(record, fc.constantFrom("other", "toString", ""), fc.constantFrom(...scraps));
  return fc.oneof(
    { weight: 100, arbitrary: record },
    { weight: 1, arbitrary: other.map(([map, key, value]) => ({ ...map, [key]: value })) },
    { weight: 1, arbitrary: fc.constantFrom(...scraps) },
  );
}
