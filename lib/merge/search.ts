// Ranked search over tools by what is written in them: names, titles, descriptions, words of their schemas (BM25).

import { asRecord } from "../core/text.ts";

export interface Hit {
  readonly name: string;
  readonly score: number;
}

/** A tool by the name under which it is found, and its definition. */
export type Searched = readonly [exposed: string, tool: unknown];

interface Field {
  readonly weight: number;
  readonly words: readonly string[];
}

/** Where a word stands, and how much it says there. */
interface Posting {
  readonly at: number;
  readonly frequency: number;
}

/** How soon more of a word says no more, and how much the length of a text is held against it. */
const saturation = 1.2;
const lengthShare = 0.6;
/** Of the weight of the word itself. */
const synonymShare = 0.45;
const prefixShare = 0.5;
const minPrefix = 4;
const maxSchemaDepth = 6;

/** Words of the same meaning in what tools do and people ask; general ones, of no server in particular. */
const synonyms: readonly (readonly string[])[] = [
  "create add new make insert",
  "delete remove drop erase uninstall destroy",
  "update change modify edit set rename adjust",
  "get read retrieve fetch show view describe display",
  "list all which",
  "find search look lookup query",
  "start run trigger execute launch",
  "stop cancel end abort",
  "send write post compose",
  "copy duplicate clone backup",
  "put upload save store",
  "download export",
  "done complete finish completion toggle",
  "mail email message",
  "file document artifact attachment",
  "site website page webpage",
  "task todo item",
  "log output print",
  "user person people member account",
  "customer client",
  "issue ticket bug problem",
  "event meeting appointment calendar",
  "folder directory",
  "image picture photo",
  "comment note reply",
  "server host machine computer",
  "error failure fail exception",
  "setting config configuration preference property option",
  "permission role access right",
  "password secret credential",
  "summary report statistic stat progress overview",
  "chart graph plot diagram visualize",
  "schedule cron plan",
  "alert notification notify",
  "invoice bill charge",
  "discount coupon",
  "refund reimburse money",
  "money fund balance payment pay",
  "price quote cost rate fee",
  "share stock security instrument symbol",
  "own hold holding position",
  "buy sell order purchase",
  "unusual outlier anomaly",
  "similar similarity semantic meaning",
  "relation correlation relationship",
  "shrink reclaim optimize compact",
  "health healthy status alive",
  "column field schema",
].map((group) => group.split(" "));

const stopWords: ReadonlySet<string> = new Set(
  (
    "a an and are as at be by can do does for from has have how i in is it its me my not of on or our please s so that the " +
    "their them there they this to us want was we what when where who why will with you your did am much many more use any some give current"
  ).split(" "),
);

const related: ReadonlyMap<string, ReadonlySet<string>> = relate(synonyms);

/** A word may be in several groups. */
function relate(groups: readonly (readonly string[])[]): ReadonlyMap<string, ReadonlySet<string>> {
  const stems = groups.map((group) => group.map(stemOf));
  return new Map(
    stems.flat().map((stem) => {
      const others = stems.filter((group) => group.includes(stem)).flat();
      return [stem, new Set(others.filter((other) => other !== stem))];
    }),
  );
}

export class SearchIndex {
  readonly #names: readonly string[];
  readonly #postings = new Map<string, Posting[]>();
  readonly #words: readonly string[];

  constructor(tools: readonly Searched[]) {
    this.#names = tools.map(([exposed]) => exposed);
    const documents = tools.map(([exposed, tool]) => fieldsOf(exposed, tool));
    const averages = documents[0]?.map((_, field) => mean(documents.map((fields) => fields[field]?.words.length ?? 0)));
    for (const [at, fields] of documents.entries()) {
      const frequencies = new Map<string, number>();
      for (const [field, { weight, words }] of fields.entries()) {
        const length = words.length / Math.max(1, averages?.[field] ?? 1);
        const each = weight / (1 - lengthShare + lengthShare * length);
        for (const word of words) frequencies.set(word, (frequencies.get(word) ?? 0) + each);
      }
      for (const [word, frequency] of frequencies) {
        const postings = this.#postings.get(word) ?? [];
        postings.push({ at, frequency });
        this.#postings.set(word, postings);
      }
    }
    this.#words = [...this.#postings.keys()].toSorted();
  }

  /** The best first; tools that have nothing to do with the words are left out. */
  find(query: string, limit: number): readonly Hit[] {
    const scores = new Map<number, number>();
    const matched = new Map<number, number>();
    const asked = new Set(wordsOf(query));
    for (const word of asked) {
      const best = new Map<number, number>();
      for (const [similar, share] of this.#similar(word)) {
        for (const { at, frequency } of this.#postings.get(similar) ?? []) {
          const score = share * this.#rarity(similar) * ((frequency * (saturation + 1)) / (frequency + saturation));
          best.set(at, Math.max(best.get(at) ?? 0, score));
        }
      }
      for (const [at, score] of best) {
        scores.set(at, (scores.get(at) ?? 0) + score);
        matched.set(at, (matched.get(at) ?? 0) + 1);
      }
    }
    // Of two that fit as well, the one that has more of the words is meant.
    const covered = (at: number): number => Math.sqrt((matched.get(at) ?? 0) / asked.size);
    return [...scores]
      .map(([at, score]) => ({ name: this.#names[at] ?? "", score: score * covered(at) }))
      .toSorted((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1))
      .slice(0, limit);
  }

  /** The word itself, words that it begins or that begin it, and words of the same meaning. */
  *#similar(word: string): Iterable<readonly [word: string, share: number]> {
    yield [word, 1];
    if (word.length >= minPrefix) {
      for (const other of this.#words) {
        if (other === word || other.length < minPrefix) continue;
        if (other.startsWith(word) || word.startsWith(other)) yield [other, prefixShare];
      }
    }
    for (const other of related.get(word) ?? []) yield [other, synonymShare];
  }

  #rarity(word: string): number {
    const count = this.#postings.get(word)?.length ?? 0;
    return Math.log(1 + (this.#names.length - count + 0.5) / (count + 0.5));
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** The same fields in the same order for every tool. */
function fieldsOf(exposed: string, tool: unknown): readonly Field[] {
  const { title, description, inputSchema, annotations } = asRecord(tool);
  const schema: string[] = [];
  collectWords(inputSchema, schema, 0);
  const titles = [title, asRecord(annotations)["title"]].filter((text) => typeof text === "string");
  return [
    { weight: 3, words: wordsOf(exposed) },
    { weight: 2, words: wordsOf(titles.join(" ")) },
    { weight: 1.5, words: wordsOf(typeof description === "string" ? description : "") },
    { weight: 1, words: schema.flatMap(wordsOf) },
  ];
}

/** Names and descriptions of arguments, and the values that they may have. */
function collectWords(schema: unknown, words: string[], depth: number): void {
  if (depth > maxSchemaDepth) return;
  const { properties, items, description, enum: values } = asRecord(schema);
  if (typeof description === "string") words.push(description);
  if (Array.isArray(values)) words.push(...values.filter((value) => typeof value === "string"));
  for (const [name, inner] of Object.entries(asRecord(properties))) {
    words.push(name);
    collectWords(inner, words, depth + 1);
  }
  if (items !== undefined) collectWords(items, words, depth + 1);
}

function wordsOf(text: string): readonly string[] {
  return text
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .replace(/\b(e|to)-(mail|do)\b/g, "$1$2")
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word.length > 0 && !stopWords.has(word))
    .map(stemOf);
}

/** What is left of an English word without its endings; good enough to bring forms of one word together. */
function stemOf(word: string): string {
  if (word.length <= 3) return word;
  let stem = word;
  if (stem.endsWith("ies")) stem = `${stem.slice(0, -3)}y`;
  else if (/[^su]s$/.test(stem) || /(?:ss|sh|ch|x)es$/.test(stem)) stem = stem.replace(/(?<=ss|sh|ch|x)es$|s$/, "");
  stem = stem.replace(/(?<=\w{3})(?:ing|ed|ion)$/, "").replace(/([^aeiouls])\1$/, "$1");
  return stem.length > 4 ? stem.replace(/e$/, "") : stem;
}
