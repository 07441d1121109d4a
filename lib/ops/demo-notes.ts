// The demo backend "notes": a resource store with pages, subscriptions, completion, and tools that add and find notes.

import { GatewayError } from "../core/errors.ts";
import { legacyCodec, allowsBatch } from "../protocol/legacy.ts";
import { completeFrom } from "./demo-completion.ts";
import { builtInNotes, type Note } from "./demo-library.ts";
import { page } from "./demo-pages.ts";
import { type DemoServer, type JsonObject, type Method, type Notify, requireString } from "./demo-server.ts";
import { slugify } from "./demo-slug.ts";
import { defineTool, integerField, mistake, optional, pure, textField, type Tool, toolMethods } from "./demo-tools.ts";

const pageSize = 10;
/** Notes that a client may add; they live in memory, until the backend ends. */
const maxAdded = 500;
const mimeType = "text/markdown";
const prefix = "note://mcpctl/";

const template = {
  uriTemplate: `${prefix}{slug}`,
  name: "note",
  title: "Note",
  description: "One note, by the slug of its title",
  mimeType,
} as const;

export function createNotes(notify: Notify): DemoServer {
  const shelf = new Shelf(notify);
  const listed: Method = (params) =>
    page("resources", shelf.resources(), (item) => String(item["uri"]), pageSize, params);
  return {
    info: { name: "mcpctl-demo-notes", title: "mcpctl demo: notes", version: "1.0.0" },
    capabilities: { resources: { subscribe: true, listChanged: true }, tools: {}, completions: {} },
    instructions:
      "Short notes about the Model Context Protocol and mcpctl, as resources. search_notes finds some by what they " +
      "say, add_note keeps one of yours until this server ends.",
    methods: new Map<string, Method>([
      ...toolMethods([addNote(shelf), searchNotes(shelf)]),
      ["resources/list", listed],
      ["resources/templates/list", (params) => page("resourceTemplates", [template], (item) => item.name, 10, params)],
      ["resources/read", (params) => shelf.read(requireString(params, "uri"))],
      ["resources/subscribe", (params) => shelf.subscribe(requireString(params, "uri"))],
      ["resources/unsubscribe", (params) => shelf.unsubscribe(requireString(params, "uri"))],
      ["completion/complete", (params) => completeFrom(params, "ref/resource", "uri", shelf.candidates)],
    ]),
  };
}

interface KeptNote extends Note {
  /** ISO 8601; built-in notes have none. */
  readonly changed?: string;
}

/** The notes of one connection and what it has subscribed to. */
class Shelf {
  readonly #notes = new Map<string, KeptNote>(builtInNotes.map((note) => [uriOf(note.title), note]));
  readonly #subscribed = new Set<string>();
  readonly #notify: Notify;

  constructor(notify: Notify) {
    this.#notify = notify;
  }

  get full(): boolean {
    return this.#notes.size >= builtInNotes.length + maxAdded;
  }

  has(uri: string): boolean {
    return this.#notes.has(uri);
  }

  entries(): [string, KeptNote][] {
    return [...this.#notes];
  }

  resources(): JsonObject[] {
    return this.entries().map(([uri, note]) => describe(uri, note));
  }

  read(uri: string): JsonObject {
    const { title, body } = this.#find(uri);
    return { contents: [{ uri, mimeType, text: `# ${title}\n\n${body}\n` }] };
  }

  subscribe(uri: string): JsonObject {
    this.#find(uri);
    this.#subscribed.add(uri);
    return {};
  }

  unsubscribe(uri: string): JsonObject {
    this.#find(uri);
    this.#subscribed.delete(uri);
    return {};
  }

  put(uri: string, note: KeptNote): void {
    const replaced = this.#notes.has(uri);
    this.#notes.set(uri, note);
    this.#notify("notifications/resources/list_changed");
    if (replaced && this.#subscribed.has(uri)) this.#notify("notifications/resources/updated", { uri });
  }

  readonly candidates = (target: string, argument: string): string[] => {
    if (target === template.uriTemplate && argument === "slug") return [...this.#notes.keys()].map(slugOf).sort();
    const hint = `the template is ${template.uriTemplate}, and its one variable is slug`;
    throw new GatewayError("invalidParams", `there is nothing to complete for "${argument}" of "${target}"; ${hint}`);
  };

  #find(uri: string): KeptNote {
    const note = this.#notes.get(uri);
    if (note) return note;
    throw new GatewayError("resourceNotFound", `there is no note at "${uri.slice(0, 200)}"`, { data: { uri } });
  }
}

function addNote(shelf: Shelf): Tool {
  return defineTool({
    name: "add_note",
    title: "Add a note",
    description:
      "Keeps a note until this server ends, at an address made of its title. A note that has the address is replaced.",
    fields: {
      title: textField("Title, in a few words", { minLength: 1, maxLength: 100 }),
      body: textField("Text, in Markdown", { minLength: 1, maxLength: 20_000 }),
    },
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    run({ title, body }, call) {
      if (slugify(title, "-") === "")
        return mistake("The title needs a Latin letter or a digit to make an address of.");
      const uri = uriOf(title);
      const known = shelf.has(uri);
      if (!known && shelf.full) return mistake(`The shelf is full: ${maxAdded} notes were added. Replace one instead.`);
      const note: KeptNote = { title, body, changed: new Date().toISOString() };
      shelf.put(uri, note);
      return { content: [textItem(`${known ? "Replaced" : "Added"} ${uri}`), link(call.revision, uri, note)] };
    },
  });
}

function searchNotes(shelf: Shelf): Tool {
  return defineTool({
    name: "search_notes",
    title: "Search the notes",
    description: "Finds notes by words of their title or text, best first, and answers with links to read.",
    fields: {
      query: textField("Words to look for", { minLength: 1, maxLength: 200 }),
      limit: optional(integerField("Most notes to answer with", 1, 25), 5),
    },
    annotations: pure,
    run({ query, limit }, call) {
      const words = query.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
      const scored = shelf.entries().map(([uri, note]) => ({ uri, note, score: scoreOf(note, words) }));
      const found = scored.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score);
      if (found.length === 0)
        return { content: [textItem(`No note has any of the words in ${JSON.stringify(query)}.`)] };
      const links = found.slice(0, limit).map(({ uri, note }) => link(call.revision, uri, note));
      return { content: [textItem(`${links.length} of ${found.length} matching notes, best first:`), ...links] };
    },
  });
}

/** A word in the title weighs more than the same word in the text, however often it stands there. */
function scoreOf(note: Note, words: readonly string[]): number {
  const [title, body] = [note.title.toLowerCase(), note.body.toLowerCase()];
  let score = 0;
  for (const word of words) score += (title.includes(word) ? 100 : 0) + Math.min(body.split(word).length - 1, 10);
  return score;
}

const textItem = (text: string): JsonObject => ({ type: "text", text });

/** A link, or its text for a client of a revision that has no links in results. */
function link(revision: string, uri: string, note: KeptNote): JsonObject {
  // Links came with the revision that took batches away; `versions` has the newest first.
  const { versions } = legacyCodec;
  if (versions.indexOf(revision) >= versions.findIndex(allowsBatch)) return textItem(`${note.title}: ${uri}`);
  return { type: "resource_link", ...describe(uri, note) };
}

function describe(uri: string, note: KeptNote): JsonObject {
  const annotations = note.changed === undefined ? {} : { annotations: { lastModified: note.changed } };
  const description = /^.*?[.!?](?=\s|$)/s.exec(note.body)?.[0] ?? note.body.slice(0, 200);
  return { uri, name: slugOf(uri), title: note.title, description, mimeType, ...annotations };
}

const uriOf = (title: string): string => prefix + slugify(title, "-");
const slugOf = (uri: string): string => uri.slice(prefix.length);
