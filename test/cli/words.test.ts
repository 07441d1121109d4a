// The words of a command line are what node:util makes of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { readWords, type Word } from "../../cli/words.ts";

const kinds = {
  config: { type: "string", short: "c" },
  output: { type: "string", short: "o" },
  wide: { type: "boolean", short: "w" },
  help: { type: "boolean", short: "h" },
  toString: { type: "boolean" },
} as const;

const word = fc.oneof(
  fc.constantFrom(
    "--",
    "-",
    "",
    "-c",
    "-o",
    "-w",
    "-h",
    "-wh",
    "-whcx",
    "-cx",
    "-c=x",
    "-wc",
    "-x",
    "-xw",
    "-xc",
    "a=b",
  ),
  fc.constantFrom("--config", "--config=", "--config=a=b", "--wide", "--wide=x", "--nothing", "--nothing=1", "--=x"),
  fc.constantFrom("--toString", "--constructor", "--__proto__=1", "-é", "-éw", "word"),
  // A dash among short flags ends the options on Node and Deno, and is an unknown flag on Bun and here.
  fc.string({ maxLength: 6 }).filter((text) => !/^-[^-].*-/su.test(text)),
);

test("words: are read as node:util reads them", () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (args) => {
      const { tokens } = parseArgs({ args, options: kinds, strict: false, allowPositionals: true, tokens: true });
      const expected = tokens.flatMap((token): readonly Word[] => {
        if (token.kind === "option-terminator") return [];
        if (token.kind === "positional") return [{ kind: token.kind, value: token.value }];
        const { kind, name, rawName, value, inlineValue } = token;
        return [{ kind, name, rawName, value, isInline: inlineValue === true }];
      });
      assert.deepEqual(readWords(args, kinds), expected);
    }),
    { numRuns: 5000 },
  );
});
