// The documents that commands print with -o json, as JSON Schemas: what scripts may rely on.

import * as z from "zod";
import { benchShapes } from "./bench-documents.ts";

const apiVersion = z.literal("mcpctl/v1").describe("Changes when something that is here goes or means something else.");

const place = z
  .object({ file: z.string(), line: z.int(), column: z.int() })
  .describe("Where it is written; line and column count from 1.");

const problem = {
  code: z.string(),
  severity: z.enum(["error", "warning"]),
  file: z.string(),
  line: z.int().describe("0 where it has no place inside a file."),
  column: z.int(),
  message: z.string(),
  suggestion: z.string().optional(),
  cause: z.string().optional().describe("Of what a server did, with --online."),
  fix: z.string().optional(),
};

const failure = {
  code: z
    .string()
    .regex(/^E\d{4}$/)
    .describe("See mcpctl explain."),
  name: z.string().describe("The code as a word."),
  target: z.string().optional().describe("The server that it is about."),
  message: z.string(),
  place: place.optional(),
  problems: z.array(z.object(problem)).optional().describe("All that is wrong with a config."),
  stderr: z.array(z.string()).describe("The last lines that the server printed."),
  stdout: z.array(z.string()).describe("Lines of its stdout that are no messages."),
  cause: z.string(),
  fix: z.string(),
  exit: z.int().describe("The exit code of a command about this server alone."),
};

const itemType = z.enum(["tools", "resources", "templates", "prompts"]);

const server = z
  .object({
    name: z.string(),
    exit: z.int().describe("0, or what the exit code would be if this server were the only one."),
    protocolVersion: z.string().optional(),
    error: z.object(failure).optional(),
    missing: z
      .array(z.object({ backend: z.string(), state: z.string(), code: z.string(), message: z.string() }))
      .optional()
      .describe("Of a gateway: backends whose items it does not list, or not all of them."),
  })
  .describe("What became of one server.");

const item = {
  server: z.string(),
  type: itemType,
  name: z.string().describe("Name, URI or URI template."),
  tokens: z.int().describe("About what the item costs in a model's context."),
  item: z.record(z.string(), z.unknown()).describe("As the server wrote it."),
};

const page = {
  server: z.string(),
  type: itemType,
  page: z.int().min(1),
  cursor: z.string().nullable().describe("What was asked with; null for the first page."),
  next: z.string().nullable(),
  count: z.int().min(0),
  first: z.string().optional(),
  last: z.string().optional(),
  bytes: z.int().describe("Of the whole message."),
  ms: z.number(),
  status: z.int().optional().describe("Of the HTTP answer."),
  items: z.array(z.record(z.string(), z.unknown())).optional().describe("With --page N alone."),
};

const fault = z.object({ fault: z.string(), detail: z.string() });
const listing = {
  server: z.string(),
  type: itemType,
  pages: z.int(),
  count: z.int(),
  faults: z.array(fault),
};

const configured = {
  name: z.string(),
  protocol: z.string(),
  isolation: z.string(),
  place: place.optional(),
  replicas: z.array(z.object({ transport: z.string(), where: z.string().describe("Without secrets.") })),
};

const explanation = {
  code: z.string(),
  name: z.string(),
  cause: z.string(),
  fix: z.string(),
  exit: z.int().optional(),
};

const change = {
  name: z.string(),
  weight: z.enum(["breaking", "compatible", "cosmetic"]),
  what: z.string(),
};

const listFacts = z.object({ pages: z.int(), items: z.int(), bytes: z.int(), tokens: z.int() });

const probe = {
  server: z.string(),
  replica: z.int().describe("0 for the first one."),
  time: z.string().optional().describe("With --watch: when the round ended."),
  where: z.string().describe("Without secrets."),
  place: place.optional(),
  state: z.enum(["healthy", "degraded", "down", "auth"]),
  exit: z.int(),
  ms: z.number(),
  protocolVersion: z.string().optional(),
  era: z.enum(["legacy", "modern"]).optional(),
  serverName: z.string().optional(),
  serverVersion: z.string().optional(),
  phases: z.array(
    z.object({ name: z.string(), startMs: z.number(), ms: z.number(), ok: z.boolean(), detail: z.string() }),
  ),
  lists: z.record(z.string(), listFacts),
  pings: z.object({ count: z.int(), medianMs: z.number().nullable() }),
  certificateExpiresAt: z.string().optional(),
  warnings: z.array(z.object({ rule: z.string(), text: z.string() })).describe("Why it is degraded."),
  findings: z
    .array(z.object({ severity: z.enum(["error", "warning", "info", "ok"]), rule: z.string(), text: z.string() }))
    .optional()
    .describe("With --deep."),
  error: z.object(failure).optional(),
};

const result = {
  server: z.string(),
  name: z.string().describe("Of the tool or prompt, or the resource's URI."),
  ms: z.number(),
  isError: z.boolean().describe("The tool says that it failed."),
  files: z.array(z.string()).optional().describe("With --save: what was written."),
  result: z.record(z.string(), z.unknown()).describe("Exactly as the server wrote it."),
};

const source = { key: z.string(), value: z.unknown().describe("Without secrets."), place };

const trail = {
  ids: z.array(z.string()).describe("JSON-RPC ids that its client gave it."),
  at: z.string().describe("ISO 8601."),
  method: z.string(),
  name: z.string(),
  view: z.string().describe("The endpoint, behind /mcp/; empty for /mcp."),
  backend: z.string(),
  outcome: z.enum(["in flight", "answered", "failed"]),
  tookMs: z.number(),
  notes: z.array(z.object({ ms: z.number(), text: z.string() })).describe("What was decided, since it came."),
};

const shapes: Readonly<Record<string, z.ZodRawShape>> = {
  Error: failure,
  Server: configured,
  ServerList: { items: z.array(z.object(configured)) },
  Item: item,
  ItemList: {
    servers: z.array(server),
    tokens: z.int().describe("Of all items together."),
    items: z.array(z.object(item)),
  },
  Page: page,
  PageList: { servers: z.array(server), pages: z.array(z.object(page)) },
  ListingCheck: {
    servers: z.array(server).optional(),
    ok: z.boolean().optional(),
    listings: z.array(z.object(listing)).optional(),
  },
  Problem: problem,
  Validation: {
    ok: z.boolean(),
    files: z.array(z.string()),
    backends: z.int(),
    problems: z.array(z.object(problem)),
  },
  ConfigSource: source,
  ConfigSources: { items: z.array(z.object(source)) },
  GatewayStatus: {
    url: z.string(),
    status: z.string(),
    healthy: z.boolean(),
    version: z.string(),
    uptimeSeconds: z.number(),
    sessions: z.int(),
    inFlight: z.int(),
    backends: z.array(z.object({ name: z.string(), state: z.string(), transport: z.string(), error: z.string() })),
  },
  Health: { status: z.string(), version: z.string(), backends: z.record(z.string(), z.unknown()) },
  CallTrail: trail,
  CallTrails: { calls: z.array(z.object(trail)) },
  Drain: {
    drained: z.boolean().describe("No call is left."),
    inFlight: z.int().describe("Calls that were not over in time."),
    ms: z.number(),
    exited: z.boolean(),
  },
  Message: {
    at: z.string().describe("ISO 8601."),
    from: z.enum(["client", "gateway"]),
    type: z.enum(["request", "notification", "response", "malformed"]),
    id: z.string().optional().describe("As JSON."),
    method: z.string().optional().describe("Of an answer: what it answers."),
    name: z.string().optional().describe("Tool, prompt or URI."),
    outcome: z
      .enum(["ok", "error", "failed"])
      .optional()
      .describe("Of an answer: yes, the tool says no, the protocol does."),
    view: z.string().describe("The endpoint, behind /mcp/; empty for /mcp."),
    principal: z.string(),
    session: z.string().optional().describe("Which one, not its id."),
    backend: z.string().describe("Empty where it went to none, or to several."),
    ms: z.int().optional().describe("Of an answer: since it was asked."),
    bytes: z.int(),
    message: z.record(z.string(), z.unknown()).optional().describe("Without secrets."),
    text: z.string().optional().describe("The beginning of what is no message, or too large."),
  },
  CallResult: result,
  PromptResult: result,
  ResourceResult: result,
  Probe: probe,
  ProbeReport: { ok: z.boolean(), servers: z.array(z.object(probe)) },
  Change: change,
  ListingDiff: { same: z.boolean(), changes: z.array(z.object(change)) },
  LockChange: { server: z.string(), ...change },
  LockDiff: {
    file: z.string(),
    same: z.boolean().describe("Nothing has changed since the lock was written."),
    written: z.boolean().describe("The file holds these changes now."),
    tools: z.int().describe("In the lock."),
    changes: z.array(z.object({ server: z.string(), ...change })),
    descriptions: z
      .array(
        z.object({ server: z.string(), name: z.string(), before: z.string().optional(), after: z.string().optional() }),
      )
      .describe("Those that are other ones now."),
    servers: z.array(server).describe("Those that could not be asked; the lock keeps what it has of them."),
  },
  ...benchShapes,
  Verdict: {
    principal: z.string(),
    backend: z.string(),
    name: z.string(),
    decision: z.enum(["allow", "deny", "confirm", "scopes"]),
    visible: z.boolean().describe("Whether it is listed."),
    rule: z.int().optional().describe("Which one decides, from 1; absent: the default does."),
    byArguments: z.array(z.int()).describe("Rules that fit calls with some arguments, from 1."),
    scopes: z.array(z.string()).describe("What the token must have."),
  },
  AuditVerdict: {
    ok: z.boolean(),
    lines: z.int().describe("Those that are as they were written, up to the first that is not."),
    hash: z.string().describe("Of the last of them."),
    broken: z.object({ file: z.string(), line: z.int(), why: z.string() }).optional(),
  },
  ApiKey: {
    key: z.string().describe("To be shown once, and kept by its holder alone."),
    config: z.record(z.string(), z.unknown()).describe("What lets its holder in."),
  },
  Explanation: explanation,
  Explanations: { items: z.array(z.object(explanation)) },
  Version: {
    version: z.string(),
    runtime: z.string(),
    platform: z.string(),
    protocolVersions: z.array(z.string()).describe("Newest first."),
  },
};

/** Kinds of documents, as `kind` names them. */
export const documentKinds: readonly string[] = Object.keys(shapes);

/** The JSON Schema (2020-12) of a kind; undefined where there is none of that name. */
export function documentSchema(kind: string): object | undefined {
  const shape = Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
  if (!shape) return undefined;
  return z.toJSONSchema(z.object({ apiVersion, kind: z.literal(kind), ...shape }), { io: "input" });
}
