// The demo backend "text": tools over strings, a slow one that reports progress, and a prompt.

import { GatewayError } from "../core/errors.ts";
import { sleep } from "../core/scope.ts";
import { isRecord } from "../core/text.ts";
import { completeFrom } from "./demo-completion.ts";
import { diffLines } from "./demo-diff.ts";
import { page } from "./demo-pages.ts";
import { type DemoServer, type JsonObject, type Method, requireString, typeName } from "./demo-server.ts";
import { slugify } from "./demo-slug.ts";
import {
  choiceField,
  defineTool,
  integerField,
  mistake,
  objectSchema,
  optional,
  pure,
  structured,
  textField,
  type Tool,
  toolMethods,
} from "./demo-tools.ts";

export function createText(): DemoServer {
  return {
    info: { name: "mcpctl-demo-text", title: "mcpctl demo: text", version: "1.0.0" },
    capabilities: { tools: {}, prompts: {}, completions: {} },
    instructions:
      "Small text tools. word_count, reverse, slugify and diff answer at once; repeat_slowly takes its time, reports " +
      "progress and can be cancelled. The prompt summarize asks for a summary in a style of your choice.",
    methods: new Map<string, Method>([
      ...toolMethods([wordCount, reverse, slug, diff, repeatSlowly]),
      ["prompts/list", (params) => page("prompts", [summarize], (prompt) => prompt.name, 100, params)],
      ["prompts/get", getPrompt],
      ["completion/complete", complete],
    ]),
  };
}

const integer = { type: "integer", minimum: 0 } as const;

const wordCount: Tool = defineTool({
  name: "word_count",
  title: "Count words",
  description: "Counts the words, characters (as a reader sees them) and lines of a text, in any script.",
  fields: { text: textField("The text to count") },
  output: objectSchema({ words: integer, characters: integer, lines: integer }),
  annotations: pure,
  run({ text }) {
    let words = 0;
    for (const part of new Intl.Segmenter("en", { granularity: "word" }).segment(text)) if (part.isWordLike) words++;
    const lines = text === "" ? 0 : text.replace(/\r?\n$/, "").split(/\r?\n/).length;
    return structured({ words, characters: graphemes(text).length, lines });
  },
});

const reverse: Tool = defineTool({
  name: "reverse",
  title: "Reverse a text",
  description: "Reverses the characters, words or lines of a text. Accents and emoji stay whole.",
  fields: {
    text: textField("The text to reverse"),
    by: optional(choiceField("What to put in reverse order", ["characters", "words", "lines"]), "characters"),
  },
  output: objectSchema({ reversed: { type: "string" } }),
  annotations: pure,
  run({ text, by }) {
    switch (by) {
      case "characters":
        return structured({ reversed: graphemes(text).reverse().join("") });
      case "words":
        return structured({ reversed: text.split(/(\s+)/).reverse().join("") });
      case "lines":
        return structured({ reversed: text.split("\n").reverse().join("\n") });
    }
  },
});

const slug: Tool = defineTool({
  name: "slugify",
  title: "Make a slug",
  description: "Turns a title into lower-case ASCII for an address: accents go, everything else becomes a separator.",
  fields: {
    text: textField("The title", { minLength: 1, maxLength: 1000 }),
    separator: optional(choiceField("What stands between words", ["-", "_"]), "-"),
  },
  output: objectSchema({ slug: { type: "string" } }),
  annotations: pure,
  run({ text, separator }) {
    const made = slugify(text, separator);
    if (made !== "") return structured({ slug: made });
    return mistake("The text has no Latin letter and no digit, so no slug can be made of it; transliterate it first.");
  },
});

const maxDiffLines = 2000;

const diff: Tool = defineTool({
  name: "diff",
  title: "Compare two texts",
  description: 'Compares two texts line by line. Lines of the answer start with "-" (removed), "+" (added) or a space.',
  fields: { before: textField("The old text"), after: textField("The new text") },
  output: objectSchema({ added: integer, removed: integer, diff: { type: "string" } }),
  annotations: pure,
  run({ before, after }) {
    const [old, now] = [before.split(/\r?\n/), after.split(/\r?\n/)];
    const longest = Math.max(old.length, now.length);
    if (longest > maxDiffLines) return mistake(`diff takes ${maxDiffLines} lines a text, and was given ${longest}.`);
    const lines = diffLines(old, now);
    const count = (mark: string): number => lines.filter((line) => line.startsWith(mark)).length;
    return structured({ added: count("+"), removed: count("-"), diff: lines.join("\n") });
  },
});

const repeatSlowly: Tool = defineTool({
  name: "repeat_slowly",
  title: "Repeat slowly",
  description: "Repeats a text with a pause after each time. Reports progress, and stops when it is cancelled.",
  fields: {
    text: textField("The text to repeat", { minLength: 1, maxLength: 1000 }),
    times: optional(integerField("How often", 1, 100), 5),
    pauseMs: optional(integerField("Milliseconds to wait after each time", 0, 10_000), 200),
  },
  output: objectSchema({ repeated: { type: "array", items: { type: "string" } } }),
  annotations: pure,
  async run({ text, times, pauseMs }, call) {
    const repeated: string[] = [];
    while (repeated.length < times) {
      repeated.push(text);
      call.progress(repeated.length, times, `said it ${repeated.length} of ${times} times`);
      // Last, so that the last progress is not in one chunk with the result: some clients drop it then.
      await sleep(pauseMs, call.scope);
    }
    return structured({ repeated });
  },
});

function graphemes(text: string): string[] {
  return Array.from(new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text), ({ segment }) => segment);
}

const styles: Readonly<Record<string, string>> = {
  brief: "in one or two sentences",
  bullets: "as at most five bullet points",
  executive: "for a busy decision maker: the decision that is needed, the reasons, the risks",
  headline: "as one headline of at most ten words",
  plain: "in plain words that a twelve-year-old understands",
  questions: "as the three questions that it answers, each with its answer",
};

const summarize = {
  name: "summarize",
  title: "Summarize a text",
  description: "Asks for a summary of a text, in a style of your choice.",
  arguments: [
    { name: "text", title: "Text", description: "The text to summarize", required: true },
    { name: "style", title: "Style", description: `One of ${Object.keys(styles).join(", ")}; default brief` },
  ],
} as const;

const getPrompt: Method = (params) => {
  checkPromptName(requireString(params, "name"));
  const given = params["arguments"] ?? {};
  if (!isRecord(given)) throw invalid(`params.arguments must be an object, and is ${typeName(given)}`);
  for (const name of Object.keys(given)) checkArgumentName(name);
  const text = requireArgument(given, "text");
  const style = given["style"] === undefined ? "brief" : requireArgument(given, "style");
  const manner = Object.hasOwn(styles, style) ? styles[style] : undefined;
  if (manner === undefined) throw invalid(`style must be one of ${Object.keys(styles).join(", ")}`);
  const request = `Summarize the text between the marks ${manner}. Add nothing that it does not say.`;
  return {
    description: `${summarize.title} (${style})`,
    messages: [{ role: "user", content: { type: "text", text: `${request}\n\n<text>\n${text}\n</text>` } }],
  };
};

const complete: Method = (params) =>
  completeFrom(params, "ref/prompt", "name", (name, argument) => {
    checkPromptName(name);
    checkArgumentName(argument);
    return argument === "style" ? Object.keys(styles) : [];
  });

function checkPromptName(name: string): void {
  if (name !== summarize.name) throw invalid(`unknown prompt "${name}"; there is ${summarize.name}`);
}

function checkArgumentName(name: string): void {
  if (summarize.arguments.some((argument) => argument.name === name)) return;
  throw invalid(`"${name}" is no argument of ${summarize.name}; there is text and style`);
}

function requireArgument(given: JsonObject, name: string): string {
  const value = given[name];
  if (typeof value === "string") return value;
  throw invalid(`argument "${name}" of ${summarize.name} must be a string, and is ${typeName(value)}`);
}

const invalid = (message: string): GatewayError => new GatewayError("invalidParams", message);
