// YAML text to a tree: core schema only, no tags, no merge keys, aliases as copies within the tree's bounds.

import {
  type Document,
  type Node as YamlNode,
  type YAMLError,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  parseDocument,
} from "yaml";
import { type Problem, type Source, problemAt } from "./problems.ts";
import { type Node, type View, buildTree } from "./tree.ts";

/** The tree of a YAML text. Every syntax error that the parser finds is a problem. */
export function parseYaml(source: Source): { root: Node; problems: readonly Problem[] } {
  const document = parseDocument(source.text, {
    schema: "core",
    resolveKnownTags: false,
    // The tree reports duplicates itself, in the same words for every format.
    uniqueKeys: false,
    // Of an error only its code and place are used: messages may quote the line, and a line may hold a secret.
    prettyErrors: false,
    logLevel: "error",
  });
  const faults = [...document.errors, ...document.warnings].map((fault) => toProblem(fault, source));
  // Where the parser gave up, what it says about the rest is noise.
  const exhausted = document.errors.find((fault) => fault.code === "RESOURCE_EXHAUSTION");
  if (exhausted !== undefined) faults.splice(0, faults.length, toProblem(exhausted, source));
  const { root, problems } = buildTree(topOf(document), createView(), source);
  return { root, problems: [...faults, ...problems] };
}

// `undefined` is a value that is not written at all: `key:`.
type Native = { readonly node: YamlNode | undefined; readonly offset: number };

function topOf(document: Document.Parsed): Native {
  return { node: document.contents ?? undefined, offset: 0 };
}

// Anchors are collected on the way: the parser's own lookup reads the whole document once per alias.
function createView(): (native: Native) => View<Native> {
  const anchors = new Map<string, Native>();
  return (native) => {
    const { node, offset } = isAlias(native.node) ? (anchors.get(native.node.source) ?? native) : native;
    if ((isScalar(node) || isCollection(node)) && node.anchor !== undefined) anchors.set(node.anchor, { node, offset });
    const start = node?.range?.[0] ?? offset;
    if (isMap(node)) {
      const pairs = node.items.filter(isPair).map((pair) => {
        const at = isNode(pair.key) ? (pair.key.range?.[0] ?? start) : start;
        return {
          key: keyText(pair.key),
          offset: at,
          value: { node: isNode(pair.value) ? pair.value : undefined, offset: at },
        };
      });
      return { kind: "map", pairs, offset: start };
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => ({ node: isNode(item) ? item : undefined, offset: start }));
      return { kind: "list", items, offset: start };
    }
    const value: unknown = isScalar(node) ? node.value : null;
    const fault = isAlias(node) ? "YAML: the anchor of this alias is not set before it" : undefined;
    return { kind: "scalar", value, offset: start, end: node?.range?.[1] ?? start, fault };
  };
}

// `8080:` and `true:` are keys as they are written; a collection as a key is no key of ours and ends as an unknown one.
function keyText(key: unknown): string {
  if (!isScalar(key)) return "?";
  return typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
}

function toProblem(fault: YAMLError, source: Source): Problem {
  const place = { source, offset: fault.pos[0] };
  if (fault.code === "RESOURCE_EXHAUSTION") return problemAt("tooMuch", place, [], "the file is nested too deeply");
  return problemAt("syntax", place, [], `YAML: ${sayings[fault.code] ?? "this cannot be read"}`);
}

// The parser's own messages may quote what they stumble over.
const sayings: Partial<Record<YAMLError["code"], string>> = {
  ALIAS_PROPS: "an alias cannot have an anchor or a tag",
  BAD_ALIAS: "an alias has a name that cannot be",
  BAD_COLLECTION_TYPE: "a tag does not fit what follows it",
  BAD_DIRECTIVE: "unknown directive",
  BAD_DQ_ESCAPE: "unknown escape sequence in double quotes; use single quotes for a plain backslash",
  BAD_INDENT: "the indentation does not fit the lines above, or a bracket is not closed",
  BAD_SCALAR_START: "a value that starts with this character needs quotes",
  BLOCK_AS_IMPLICIT_KEY: "a second key on the same line; write it on a line of its own or in quotes",
  BLOCK_IN_FLOW: "lines with dashes or keys cannot stand inside brackets",
  KEY_OVER_1024_CHARS: "a key is longer than 1024 characters",
  MISSING_CHAR: "a closing character, a colon, a comma or a space is missing",
  MULTILINE_IMPLICIT_KEY: "a key must be on one line and end with a colon",
  MULTIPLE_ANCHORS: "a value can have one anchor only",
  MULTIPLE_DOCS: "the file holds more than one document",
  MULTIPLE_TAGS: "a value can have one tag only",
  TAB_AS_INDENT: "tabs cannot indent; use spaces",
  TAG_RESOLVE_FAILED: "tags are not supported; remove the one that starts with an exclamation mark",
  UNEXPECTED_TOKEN: "unexpected text; is a quote, a colon or a line break missing?",
};
