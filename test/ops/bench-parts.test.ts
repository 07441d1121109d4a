// The parts of the load generator: rates, templates, cases, thresholds and histograms.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../lib/core/errors.ts";
import { decodeText } from "../../lib/core/text.ts";
import { caseOrder, compileCase, readCases } from "../../lib/ops/bench-cases.ts";
import { Latencies } from "../../lib/ops/bench-histogram.ts";
import { dueMs, formatRate, parseRate } from "../../lib/ops/bench-rate.ts";
import { compileRequest } from "../../lib/ops/bench-template.ts";
import { benchMetrics, parseThreshold as parse, type Threshold } from "../../lib/ops/bench-threshold.ts";

const isUsage = (error: unknown): boolean => error instanceof GatewayError && error.code === "usage";
const parseThreshold = (text: string): Threshold => parse(text, benchMetrics);
const facts = { seq: 7, nonce: "run-7", session: 2 };

test("bench: rates as people write them", () => {
  assert.deepEqual(parseRate("300/s"), { from: 300, to: 300 });
  assert.deepEqual(parseRate("18000/m"), { from: 300, to: 300 });
  assert.deepEqual(parseRate("0..500/s"), { from: 0, to: 500 });
  assert.equal(formatRate(parseRate("100/s..500/s")), "100/s..500/s");
  for (const wrong of ["", "x", "0", "-1/s", "1/d", "1..2..3"]) assert.throws(() => parseRate(wrong), isUsage, wrong);
});

test("bench: calls are due evenly, and a ramp has as many as its mean says", () => {
  assert.equal(dueMs({ from: 300, to: 300 }, 1000, 150), 500);
  for (const rate of [
    { from: 100, to: 500 },
    { from: 500, to: 100 },
    { from: 0, to: 600 },
  ]) {
    const times = Array.from({ length: 700 }, (_, index) => dueMs(rate, 1000, index)).filter((ms) => ms < 1000);
    assert.equal(times.length, 300, JSON.stringify(rate));
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    assert.equal(times[0], 0);
    const firstHalf = times.filter((ms) => ms < 500).length;
    assert.ok(Math.abs(firstHalf - (rate.from * 3 + rate.to) / 8) <= 1, `${firstHalf}`);
  }
});

test("bench: templates fill in what stands in texts, numbers bare where they stand alone", () => {
  const params = {
    name: "x",
    arguments: { n: "{{seq}}", text: "no {{seq}} of {{session}}", id: "{{nonce}}", r: "{{random 5..5}}" },
  };
  const template = compileRequest("tools/call", params);
  const { params: filled } = JSON.parse(decodeText(template(facts).bytes));
  assert.deepEqual(filled.arguments, { n: 7, text: "no 7 of 2", id: "run-7", r: 5 });
  const uuid = compileRequest("ping", { u: "{{uuid}}" });
  assert.notEqual(decodeText(uuid(facts).bytes), decodeText(uuid(facts).bytes));
  assert.throws(() => compileRequest("ping", { a: "{{sequence}}" }), /\{\{sequence\}\} is no placeholder/);
  const plain = compileRequest("ping", { a: "{ {b} }" });
  assert.equal(plain(facts), plain({ ...facts, seq: 8 }), "what never changes is made once");
});

test("bench: a file of cases, each as often as it weighs", () => {
  const specs = readCases('{"tool":"a","weight":3}\n\n{"method":"tools/list"}\n', "cases.jsonl");
  const choose = caseOrder(specs.map((spec) => compileCase(spec)));
  const labels = Array.from({ length: 8 }, (_, seq) => choose(seq)?.label);
  assert.equal(labels.filter((label) => label === "a").length, 6);
  assert.equal(labels.slice(0, 4).filter((label) => label === "a").length, 3);
  assert.equal(readCases('[{"tool":"a"}]', "cases.json").length, 1);
  for (const wrong of ["", "[]", "{", "[1]"]) assert.throws(() => readCases(wrong, "f"), isUsage, wrong);
  for (const wrong of [
    { tool: "a", method: "b" },
    { tool: "a", weight: 0 },
    { method: "x", params: [] },
  ])
    assert.throws(() => compileCase(wrong), isUsage, JSON.stringify(wrong));
});

test("bench: thresholds in the units of their metrics", () => {
  const { metric, operator, limit } = parseThreshold("p99.9 <= 1.5s");
  assert.deepEqual([metric, operator, limit], ["p99.9", "<=", 1500]);
  assert.equal(parseThreshold("p50<0.25ms").limit, 0.25);
  assert.equal(parseThreshold("p50<250us").limit, 0.25);
  assert.equal(parseThreshold("error_rate<0.1%").limit, 0.001);
  assert.equal(parseThreshold("rate>=290/s").limit, 290);
  assert.throws(() => parseThreshold("p98<1ms"), /there is no metric "p98"; did you mean p9\d?\d?/);
  for (const wrong of ["p99", "p99<", "p99<5", "error_rate<5ms", "ok>5%"])
    assert.throws(() => parseThreshold(wrong), isUsage, wrong);
});

test("bench: percentiles within three figures, also of one call", () => {
  const latencies = new Latencies();
  assert.equal(latencies.summary(), null);
  latencies.add(5);
  assert.ok(Math.abs((latencies.summary()?.p9999 ?? 0) - 5) < 0.01);
  const many = new Latencies();
  for (let index = 1; index <= 10_000; index += 1) many.add(index / 10);
  const { p50 = 0, p99 = 0, p9999 = 0, max = 0 } = many.summary() ?? {};
  for (const [actual, exact] of [
    [p50, 500],
    [p99, 990],
    [p9999, 999.9],
    [max, 1000],
  ] as const)
    assert.ok(Math.abs(actual / exact - 1) < 0.002, `${actual} is not ${exact}`);
  const shares = many.spread().reduce((sum, { share }) => sum + share, 0);
  assert.ok(Math.abs(shares - 1) < 0.01);
});
