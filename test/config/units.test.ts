// Durations and sizes, and what they are written like.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../lib/config/units.ts";

test("units: durations are milliseconds", () => {
  const known = {
    "500ms": 500,
    "30s": 30_000,
    "1.5s": 1500,
    "2m": 120_000,
    "1h": 3_600_000,
    "2d": 172_800_000,
    "0s": 0,
  };
  for (const [text, ms] of Object.entries(known)) assert.equal(parseDuration(text), ms, text);
});

test("units: sizes are bytes", () => {
  const known = {
    "100B": 100,
    "10KB": 10_000,
    "10MB": 10_000_000,
    "512KiB": 524_288,
    "16MiB": 16_777_216,
    "1.5GiB": 1_610_612_736,
  };
  for (const [text, bytes] of Object.entries(known)) assert.equal(parseSize(text), bytes, text);
});

test("units: what has no unit, or another one, is refused", () => {
  for (const text of [
    "",
    "30",
    "s",
    "-1s",
    "1 s",
    "1S",
    "1e3s",
    "1s1",
    "1.s",
    ".5s",
    "Infinitys",
    "1sec",
    "toString",
  ]) {
    assert.equal(parseDuration(text), undefined, text);
  }
  for (const text of ["", "16", "16M", "16mib", "1TiB", "-1B", "1 MiB", "0x1B", "constructor"]) {
    assert.equal(parseSize(text), undefined, text);
  }
});

test("units: what is written is read back as the same", () => {
  for (const ms of [0, 1, 999, 1000, 90_000, 600_000, 3_600_000, 86_400_000, 12_345]) {
    assert.equal(parseDuration(formatDuration(ms)), ms);
  }
  for (const bytes of [1, 1000, 1024, 16_777_216, 10_000_000, 3_221_225_472]) {
    assert.equal(parseSize(formatSize(bytes)), bytes);
  }
  assert.deepEqual(
    [formatDuration(600_000), formatDuration(3_600_000), formatSize(16 * 2 ** 20)],
    ["10m", "1h", "16MiB"],
  );
});
