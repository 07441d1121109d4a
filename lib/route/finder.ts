// Three tools in the place of all: clients find what they need, look at it, and call it, and pay for nothing else.

import type { Envelope } from "../core/envelope.ts";
import { scan, spanBytes, spanValue, splice } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { resultMessage } from "../core/rpc.ts";
import type { Scope } from "../core/scope.ts";
import { asRecord, decodeText, encodeJson, encodeText } from "../core/text.ts";
import { readPage } from "../merge/catalog.ts";
import type { Index } from "../merge/merged.ts";
import { SearchIndex, type Searched } from "../merge/search.ts";
import { plainSection, type Section } from "../merge/section.ts";
import { buildSlab, itemAt } from "../merge/slab.ts";
import { findField } from "../protocol/fields.ts";
import type { Viewer } from "./session.ts";

/** What it needs of the listings. */
export interface Catalog {
  merged(viewer: Viewer, kind: "tools", scope: Scope): Promise<{ readonly index: Index }>;
}

export interface FinderWays {
  readonly catalog: Catalog;
  /** Sends the call that is in a call_tool. */
  readonly forward: (inner: Envelope) => Promise<Uint8Array>;
}

const defaultLimit = 10;
const maxLimit = 50;
/** Of a description among the tools that were found. */
const maxSummary = 200;
const readOnly = { readOnlyHint: true, openWorldHint: false };
const name = { type: "string", description: "Name of the tool, as find_tools gives it." };

const tools = [
  {
    name: "find_tools",
    description:
      "Finds tools by what they do. There are many more tools than are listed: say in a few words what is to be done, look at one with describe_tool, then call it with call_tool.",
    inputSchema: {
      type: "object",
      properties: {
        query: { type: "string", description: "What is to be done, in words." },
        limit: {
          type: "integer",
          minimum: 1,
          maximum: maxLimit,
          description: `At most so many; ${defaultLimit} by default.`,
        },
      },
      required: ["query"],
    },
    annotations: readOnly,
  },
  {
    name: "describe_tool",
    description: "Gives the whole definition of a tool: its description, its arguments, its annotations.",
    inputSchema: { type: "object", properties: { name }, required: ["name"] },
    annotations: readOnly,
  },
  {
    name: "call_tool",
    description: "Calls a tool that find_tools has found. Its result is that of the tool.",
    inputSchema: {
      type: "object",
      properties: { name, arguments: { type: "object", description: "As describe_tool says." } },
      required: ["name"],
    },
  },
];

const names: ReadonlySet<string> = new Set(tools.map((tool) => tool.name));

export class Finder {
  readonly #searches = new WeakMap<Index, SearchIndex>();

  /** The listing of the three. */
  sections(): readonly Section[] {
    const page = readPage("tools", encodeText(JSON.stringify({ result: { tools } })));
    return page ? [plainSection(buildSlab("mcpctl", [page]))] : [];
  }

  /** Whether this is one of the three. */
  has(exposed: string): boolean {
    return names.has(exposed);
  }

  /** Answers a call of one of the three. */
  async answer(
    request: Envelope,
    viewer: Viewer,
    exposed: string,
    scope: Scope,
    { catalog, forward }: FinderWays,
  ): Promise<Uint8Array> {
    if (exposed === "call_tool") return await forward(innerCall(request));
    const { query, name: wanted, limit } = asRecord(asRecord(spanValue(request, "params"))["arguments"]);
    const { index } = await catalog.merged(viewer, "tools", scope);
    const say = (text: string, isError: boolean): Uint8Array => textResult(request, viewer, text, isError);
    if (exposed === "describe_tool") {
      const tool = typeof wanted === "string" ? toolIn(index, wanted) : undefined;
      return tool ? say(JSON.stringify(tool), false) : say(`there is no tool ${JSON.stringify(wanted)}`, true);
    }
    if (typeof query !== "string" || query.trim() === "") return say("query must say what is to be done", true);
    const count = typeof limit === "number" && limit >= 1 ? Math.min(Math.floor(limit), maxLimit) : defaultLimit;
    const found = this.#searchIn(index)
      .find(query, count)
      .map(({ name }) => ({ name, description: summaryOf(toolIn(index, name)) }));
    return say(found.length > 0 ? JSON.stringify(found) : "nothing was found; try other words", false);
  }

  #searchIn(index: Index): SearchIndex {
    const known = this.#searches.get(index) ?? new SearchIndex(searchedIn(index));
    this.#searches.set(index, known);
    return known;
  }
}

/** The call in a call_tool, under the same id and with the same metadata. */
function innerCall(request: Envelope): Envelope {
  const { bytes, spans } = request;
  const args = spans.params && findField(bytes, spans.params, "arguments");
  const inner = args && findField(bytes, args, "name");
  const named: unknown = inner && JSON.parse(decodeText(bytes.subarray(inner.start, inner.end)));
  if (!args || !inner || !spans["params.name"] || typeof named !== "string")
    throw new GatewayError("invalidParams", "call_tool needs the name of a tool in its arguments");
  if (names.has(named)) throw new GatewayError("invalidParams", `call_tool does not call ${named}`);
  const own = findField(bytes, args, "arguments");
  const edits = [
    { span: spans["params.name"], bytes: bytes.slice(inner.start, inner.end) },
    { span: args, bytes: own ? bytes.slice(own.start, own.end) : encodeText("{}") },
  ];
  const scanned = scan(splice(bytes, edits));
  if (scanned.kind !== "message") throw new GatewayError("internal", "the call in a call_tool is no message");
  return scanned.envelope;
}

function textResult(request: Envelope, { facts }: Viewer, text: string, isError: boolean): Uint8Array {
  const era = facts.era === "modern" ? { resultType: "complete" } : {};
  const result = { ...era, content: [{ type: "text", text }], ...(isError ? { isError } : {}) };
  return resultMessage(spanBytes(request, "id") ?? encodeText("null"), encodeJson(result));
}

/** The definition of a tool, under its exposed name. */
function toolIn({ sections }: Index, exposed: string): Readonly<Record<string, unknown>> | undefined {
  for (const section of sections) {
    const { prefix, names: rest } = section;
    const at = exposed.startsWith(prefix) ? rest.indexOf(exposed.slice(prefix.length)) : -1;
    if (at >= 0) return { ...toolAt(section, at), name: exposed };
  }
  return undefined;
}

function toolAt({ slab, rows }: Section, at: number): Readonly<Record<string, unknown>> {
  return asRecord(JSON.parse(decodeText(itemAt(slab, rows ? (rows[at] ?? 0) : at))));
}

function searchedIn({ sections }: Index): readonly Searched[] {
  return sections.flatMap((section) =>
    section.names.map((rest, at): Searched => [section.prefix + rest, toolAt(section, at)]),
  );
}

/** The first sentence, or as much of it as there is room for. */
function summaryOf(tool: Readonly<Record<string, unknown>> | undefined): string {
  const description = tool?.["description"];
  const text = (typeof description === "string" ? description : "").replace(/\s+/g, " ").trim();
  const [first = ""] = /^.*?[.!?](?=\s|$)/.exec(text) ?? [text];
  return first.length <= maxSummary ? first : `${first.slice(0, maxSummary - 1)}…`;
}
