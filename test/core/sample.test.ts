// What a sample says of a notification of progress is what a glance says of it, and it says something of those that are alike.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Glance } from "../../lib/core/glance.ts";
import { Sample } from "../../lib/core/sample.ts";

const bytesOf = (text: string): Uint8Array => Buffer.from(`x${text}y`);
const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":PARAMS}';
const messageOf = (params: string): string => progress.replace("PARAMS", params);
const plain = messageOf('{"progressToken":7,"progress":1,"total":100,"message":"step 1 of 100"}');

function sampleOf(text: string): Sample | undefined {
  const glance = new Glance();
  const bytes = bytesOf(text);
  const token = glance.progress(bytes, 1, bytes.length - 1);
  assert.ok(token >= 0, text);
  return Sample.of(bytes, 1, bytes.length - 1, glance);
}

/** The token by the sample; where there is one, glance and parser must say the same. */
function tokenBy(sample: Sample | undefined, text: string): number {
  const bytes = bytesOf(text);
  const token = sample?.token(bytes, 1, bytes.length - 1) ?? -1;
  if (token < 0) return token;
  const glance = new Glance();
  assert.equal(glance.progress(bytes, 1, bytes.length - 1), token, text);
  assert.deepEqual([sample?.tokenStart, sample?.tokenEnd], [glance.tokenStart, glance.tokenEnd], text);
  const parsed: unknown = JSON.parse(text);
  assert.equal(Reflect.get(Object(Reflect.get(Object(parsed), "params")), "progressToken"), token, text);
  return token;
}

test("sample: takes messages that differ in numbers, with more digits or fewer", () => {
  const sample = sampleOf(plain);
  assert.equal(tokenBy(sample, plain), 7);
  const alike: readonly (readonly [string, number])[] = [
    ['{"progressToken":7,"progress":99,"total":100,"message":"step 99 of 100"}', 7],
    ['{"progressToken":8123,"progress":0,"total":1,"message":"step 10000 of 5"}', 8123],
    ['{"progressToken":0,"progress":1,"total":1,"message":"step 1 of 1"}', 0],
  ];
  for (const [params, token] of alike) assert.equal(tokenBy(sample, messageOf(params)), token, params);
  const parts = sampleOf(messageOf('{"progress":0.25,"progressToken":1}'));
  assert.equal(tokenBy(parts, messageOf('{"progress":12.05,"progressToken":1}')), 1);
});

test("sample: leaves everything else to the glance", () => {
  const sample = sampleOf(plain);
  const other = [
    "",
    plain.slice(0, -1),
    `${plain}1`,
    plain.replace("2.0", "2.1"),
    plain.replace("2.0", "3.0"),
    plain.replace("7", "07"),
    plain.replace("7", ""),
    plain.replace("7", "-7"),
    plain.replace("7", "7.5"),
    plain.replace("7", "7e3"),
    plain.replace("7", '"7"'),
    plain.replace("7", "1234567890123456"),
    plain.replace("100", "0100"),
    plain.replace("step", "stop"),
    plain.replace('"progress":1', '"progress":1,"a":1'),
    plain.replace("notifications/progress", "notifications/message1"),
  ];
  for (const text of other) assert.equal(tokenBy(sample, text), -1, text);
});

test("sample: is not made of what has escapes, or is long", () => {
  assert.equal(sampleOf(messageOf('{"progressToken":7,"message":"\\u0031"}')), undefined);
  assert.equal(sampleOf(messageOf(`{"progressToken":7,"message":"${"x".repeat(2000)}"}`)), undefined);
});

test("sample: never says what the glance does not say, whatever is changed in a message", () => {
  let taken = 0;
  const forms = [
    plain,
    messageOf('{"progress":0.5,"progressToken":12,"message":"é 1 \u{1F600}"}'),
    messageOf('{"_meta":{"a1":[1,-2,3.0e5]},"progressToken":3,"progressToken1":4}'),
  ];
  const change = fc.record({
    at: fc.nat(200),
    // Half of them where digits are.
    isDigit: fc.boolean(),
    cut: fc.nat(3),
    put: fc.constantFrom("", "0", "1", "42", "00", "007", ".", "-", "e", '"', ",", "\\", "\n", "é"),
  });
  fc.assert(
    fc.property(fc.constantFrom(...forms), fc.array(change, { maxLength: 3 }), (text, changes) => {
      const sample = sampleOf(text);
      let changed = text;
      for (const { at, isDigit, cut, put } of changes) {
        const places = isDigit ? [...changed.matchAll(/\d/g)].map(({ index }) => index) : [];
        const from = places[at % places.length] ?? at % (changed.length + 1);
        changed = changed.slice(0, from) + put + changed.slice(from + cut);
      }
      if (changed !== text && tokenBy(sample, changed) >= 0) taken += 1;
    }),
    { numRuns: 3000 },
  );
  assert.ok(taken > 20, `only ${taken}`);
});

test("sample: takes whatever numbers are put in the places of others", () => {
  const number = fc.oneof(fc.nat().map(String), fc.bigInt({ min: 0n }).map(String), fc.constantFrom("0", "10", "100"));
  const run = fc.stringMatching(/^[1-9]\d{0,30}$/);
  fc.assert(
    fc.property(fc.nat(), number, number, run, (token, value, total, step) => {
      const text = messageOf(
        `{"progressToken":${token},"progress":${value},"total":${total},"message":"step ${step} of ${total}"}`,
      );
      assert.equal(tokenBy(sampleOf(plain), text), token);
    }),
    { numRuns: 1000 },
  );
});
