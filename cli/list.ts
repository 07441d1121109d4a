// `mcpctl list`: what a config, a server or a running gateway has, whole or page by page.

import { asGatewayError, GatewayError, suggest } from "../lib/index.ts";
import { type ItemKind, itemKinds, type Target } from "../lib/toolbox.ts";
import { formats } from "./answer.ts";
import { type Command, type Flags, hasFlag, numberFlag, textFlag, wordFlag } from "./command.ts";
import { outputFlag, serverFlags, timeoutOf } from "./common.ts";
import type { ListRequest, PageRange } from "./listing.ts";
import { limits } from "./patience.ts";
import { targetsOf } from "./servers.ts";

const what = ["servers", ...itemKinds, "all"] as const;

const command: Command = {
  meta: { name: "list", description: "List servers, tools, resources, templates or prompts" },
  args: {
    what: { type: "positional", description: "servers, tools, resources, templates, prompts or all", required: false },
    target: { type: "positional", description: "name, name/tool, glob, URL or file:name", required: false },
    ...serverFlags,
    output: outputFlag(formats),
    page: {
      type: "string",
      description: "Show each page as it comes, or page N or A..B",
      valueHint: "range",
    },
    "page-size": { type: "string", description: "Ask a gateway for pages of this many items", valueHint: "number" },
    cursor: { type: "string", description: "Begin at this cursor", valueHint: "text" },
    "max-pages": { type: "string", description: "Stop after this many pages", valueHint: "number" },
    "max-items": { type: "string", description: "Stop after this many items", valueHint: "number" },
    dump: { type: "string", description: "Write each page as it came, and its headers, to files", valueHint: "folder" },
    check: { type: "boolean", description: "Look for faults of the pages; exits with 1 on some" },
    grep: { type: "string", description: "Only items whose name or text matches", valueHint: "pattern" },
    "sort-by": { type: "string", description: "name or tokens", valueHint: "key" },
    diff: { type: "string", description: "Compare with what -o json printed before", valueHint: "file" },
    via: { type: "string", description: "Compare with what a gateway shows", valueHint: "url" },
  },
  examples: [
    "mcpctl list",
    "mcpctl list tools",
    "mcpctl list tools weather/get_* -o name",
    "mcpctl list tools https://example.com/mcp --page",
    "mcpctl list all --check -- npx -y @modelcontextprotocol/server-everything",
  ],
  takesCommand: true,
  optional: { page: /^\d+(?:\.\.\d*)?$/ },
  run: list,
};

export default command;

async function list(flags: Flags): Promise<number> {
  const [kinds, written] = read(flags);
  refuseConflicts(flags);
  const format = wordFlag(flags, "output", formats) ?? "table";
  if (kinds === "servers") {
    const [targets, { listServers }] = await Promise.all([
      targetsOf(flags, written, false),
      import("./list-servers.ts"),
    ]);
    return listServers(targets, format);
  }
  using bound = limits(timeoutOf(flags));
  const found = await targetsOf(flags, written, true).catch((error: unknown) => {
    throw meantKind(flags, asGatewayError(error));
  });
  const targets = found.map((target) => withPageSize(target, numberFlag(flags, "page-size")));
  const request: ListRequest = {
    targets,
    kinds,
    format,
    bound,
    range: rangeOf(flags),
    cursor: textFlag(flags, "cursor"),
    maxPages: numberFlag(flags, "max-pages"),
    maxItems: numberFlag(flags, "max-items"),
    dump: textFlag(flags, "dump"),
    grep: patternOf(textFlag(flags, "grep")),
    sortBy: wordFlag(flags, "sort-by", ["name", "tokens"]),
  };
  if (hasFlag(flags, "check")) return await (await import("./list-check.ts")).checkListings(request);
  const [diff, via] = [textFlag(flags, "diff"), textFlag(flags, "via")];
  if (diff !== undefined || via !== undefined)
    return await (await import("./list-compare.ts")).compareListings(request, diff, via);
  if (request.range) return await (await import("./list-pages.ts")).listPages(request);
  return await (await import("./list-items.ts")).listItems(request);
}

/** A first word that is no kind is a target, and then everything that it has is meant. */
function read(flags: Flags): readonly ["servers" | readonly ItemKind[], string | undefined] {
  const [first, second] = flags.positionals;
  const word = what.find((each) => each === first);
  if (first !== undefined && word === undefined) {
    const near = second === undefined && !/[/:*.]/.test(first) ? undefined : suggest(first, what);
    if (second !== undefined)
      throw new GatewayError(
        "usage",
        `${JSON.stringify(first)} is none of ${what.join(", ")}${near === undefined ? "" : `; did you mean ${near}?`}`,
      );
    return [itemKinds, first];
  }
  if (word === "servers" || (word === undefined && flags.command === undefined)) return ["servers", second];
  if (word === undefined || word === "all") return [itemKinds, second];
  return [[word], second];
}

/** One word that is no server may have been meant as what to list. */
function meantKind({ positionals }: Flags, error: GatewayError): GatewayError {
  const [first = "", ...more] = positionals;
  const near = error.code === "unknownTarget" && more.length === 0 ? suggest(first, what) : undefined;
  if (near === undefined || error.message.includes("did you mean")) return error;
  return new GatewayError("unknownTarget", `${error.message}; did you mean mcpctl list ${near}?`);
}

function refuseConflicts(flags: Flags): void {
  for (const [one, other] of [
    ["check", "page"],
    ["check", "diff"],
    ["check", "via"],
    ["diff", "via"],
    ["page", "diff"],
    ["page", "via"],
    ["page", "sort-by"],
  ] as const) {
    if (hasFlag(flags, one) && hasFlag(flags, other))
      throw new GatewayError("usage", `--${other} means nothing with --${one}`);
  }
}

/** Gateways read it from their address; other servers do not look. */
function withPageSize(target: Target, size: number | undefined): Target {
  if (size === undefined) return target;
  const replicas = target.plan.replicas.map((replica) => {
    if (replica.kind !== "http") return replica;
    const url = new URL(replica.url);
    url.searchParams.set("pageSize", String(size));
    return { ...replica, url: url.href };
  });
  return { ...target, plan: { ...target.plan, replicas } };
}

function rangeOf(flags: Flags): PageRange | undefined {
  const written = textFlag(flags, "page");
  if (written === undefined) return undefined;
  if (written === "") return { from: 1, to: Infinity, dumps: false };
  const [, from = "1", dots, to] = /^(\d+)(\.\.)?(\d*)$/.exec(written) ?? [];
  const first = Number(from);
  const last = to ? Number(to) : dots === undefined ? first : Infinity;
  if (first < 1 || last < first || !/^\d+(?:\.\.\d*)?$/.test(written))
    throw new GatewayError("usage", `--page must be a number or a range like 2..5, not ${JSON.stringify(written)}`);
  return { from: first, to: last, dumps: true };
}

function patternOf(written: string | undefined): RegExp | undefined {
  if (written === undefined) return undefined;
  try {
    return new RegExp(written, "i");
  } catch (error) {
    throw new GatewayError("usage", `--grep ${JSON.stringify(written)} is no pattern`, { cause: error });
  }
}
