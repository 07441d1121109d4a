// What a config file may say: one zod schema with a description for every key, and its JSON Schema.

import * as z from "zod";
import { backendDefaults, planDefaults } from "./plan.ts";
import { type Config, hostPattern, maxPort, namePattern, protocolPattern, sealKeyPattern } from "./rules.ts";
import { catalogShape, rulesShape } from "./schema-catalog.ts";
import { guardShape, sandboxShape } from "./schema-guard.ts";
import { backendLimitsShape, limitsShape } from "./schema-limits.ts";
import { observeShape } from "./schema-observe.ts";
import { clusterShape } from "./schema-cluster.ts";
import { policyShape } from "./schema-policy.ts";
import { forwarded, frontShape, outbound } from "./schema-auth.ts";
import { replicaShape, resilienceShape, timeoutShape } from "./schema-resilience.ts";
import { address, duration, filled, flag, integer, strict, text, textError } from "./schema-values.ts";

const endpointShape = {
  command: filled.describe("Program to run as a child process; a name on the PATH or a path, no shell line."),
  args: z.array(text).describe("Arguments of the program."),
  env: z.record(text, text).describe("Environment variables that are added for the child process."),
  cwd: filled.describe("Working directory of the child process, relative to the folder of this file."),
  inheritEnv: flag.describe("Give the child process the whole environment of the gateway.").meta({ fallback: false }),
  sandbox: sandboxShape,
  url: filled.describe("Address of a server that speaks MCP over HTTP: http, https, or unix:/run/mcp.sock:/mcp."),
  headers: z.record(text, text).describe("Headers that are added to every request to the server."),
  tls: strict({
    ca: filled
      .optional()
      .describe("PEM file of the authorities to trust instead of the system's, relative to the folder of this file."),
    insecure: flag.optional().describe("Accept any certificate: for tests alone.").meta({ fallback: false }),
  }).describe("Which certificates of the server are accepted."),
  auth: outbound.describe("Where the token for the server comes from, in place of a header; oauth: somebody signs in."),
  forwardHeaders: forwarded.describe("Headers of clients' requests that are handed on to the server, by name."),
  transport: z
    .enum(["auto", "streamable", "sse"])
    .describe("How the server at url speaks: Streamable HTTP, the old HTTP+SSE, or auto: whichever it answers to.")
    .meta({ fallback: "auto" }),
};

const optionalEndpoint = z.strictObject(endpointShape).partial().shape;
const having = (key: string): object => ({ type: "object", properties: { [key]: {} }, required: [key] });
const oneEndpoint = [having("command"), having("url")];

const replica = strict({ ...optionalEndpoint, ...replicaShape }).meta({ oneOf: oneEndpoint });

const backendShape = {
  ...optionalEndpoint,
  replicas: z
    .array(replica)
    .min(1, { error: "must not be empty" })
    .optional()
    .describe("Several endpoints of the same server, instead of command or url."),
  isolation: z
    .enum(["principal", "session", "shared"])
    .optional()
    .describe("Who shares a connection to the server: each principal, each session, or everybody.")
    .meta({ fallback: backendDefaults.isolation }),
  protocol: text
    .regex(protocolPattern, { error: "expected auto, legacy, modern or the date of a revision" })
    .optional()
    .describe("Revision of MCP that the server speaks: auto asks it; legacy, modern or one date says it.")
    .meta({ fallback: "auto" }),
  ...rulesShape,
  ...resilienceShape,
  timeouts: strict(timeoutShape).optional().describe("How long to wait for this backend."),
  limits: backendLimitsShape,
  guard: guardShape,
  disabled: flag.optional().describe("Leave this backend out.").meta({ fallback: false }),
};

const backend = strict(backendShape).meta({ oneOf: [...oneEndpoint, having("replicas")] });
const host = text.regex(hostPattern, { error: "expected a host name or an IP address" });
const port = integer(0, maxPort);
const { listen, timeouts } = planDefaults;

const addressError = 'expected an address like "127.0.0.1:7337", a port up to 65535, or a map of host and port';

const listenMap = strict({
  host: host.optional().meta({ fallback: listen.host }).describe("Address to bind to."),
  port: port.optional().meta({ fallback: listen.port }).describe("Port to bind to; 0 takes a free one."),
});

const topShape = {
  $schema: z.string().optional().describe("For editors; not read."),
  listen: z
    .union([listenMap, ...address(addressError)], { error: addressError })
    .optional()
    .describe("Where clients come in."),
  ...frontShape,
  policy: policyShape,
  naming: z
    .enum(["prefix", "none", "conflict"])
    .optional()
    .describe(
      "How tools and prompts are exposed: as backend__tool, by their own names, or with the prefix only where two collide.",
    )
    .meta({ fallback: planDefaults.naming }),
  zone: filled.optional().describe("Where the gateway runs: replicas in the same zone come first."),
  priority: z
    .array(text)
    .optional()
    .describe("Backends in the order in which they win a name or URI that several own."),
  backends: z
    .record(z.string(), backend)
    // Names are checked beside the schema: a record does not look at the values of keys that it refuses.
    .meta({ propertyNames: { pattern: namePattern.source } })
    .optional()
    .describe("The MCP servers behind the gateway, by name."),
  mcpServers: z
    .record(z.string(), z.looseObject({}))
    .optional()
    .describe("Servers as other clients' files write them."),
  servers: z.record(z.string(), z.looseObject({})).optional().describe("Servers as VS Code's mcp.json writes them."),
  front: strict({
    sse: flag
      .optional()
      .meta({ fallback: planDefaults.front.sse })
      .describe("Serve clients of the old HTTP+SSE transport too, at /sse and /messages."),
  })
    .optional()
    .describe("What is offered to clients beside /mcp."),
  timeouts: strict({
    drain: duration(timeouts.drainMs, 0).describe("For calls in flight when the gateway stops."),
    list: duration(timeouts.listMs, 0).describe("How long a listing waits for a backend that is still starting."),
    grace: duration(timeouts.graceMs, 0).describe("How long the items of a backend that is down stay in listings."),
    resume: duration(timeouts.resumeMs, 0).describe(
      "How long a dropped stream may be resumed before its call is cancelled.",
    ),
    keepAlive: duration(timeouts.keepAliveMs, 1).describe("Between two comments on a silent stream."),
    session: duration(timeouts.sessionIdleMs, 1).describe("Life of a session that nobody uses."),
    input: duration(timeouts.inputMs, 1).describe("How long a call waits for input from a modern client."),
  })
    .optional()
    .describe("How long to wait for what."),
  limits: limitsShape,
  allowedHosts: z.array(filled).optional().describe("Host headers that are accepted beside the own address."),
  allowedOrigins: z.array(filled).optional().describe("Origins of web pages that may call the gateway."),
  sealKeys: z
    .array(z.string({ error: textError }).regex(sealKeyPattern, { error: "a seal key needs at least 16 characters" }))
    .optional()
    .describe(
      "Secrets for sealed ids: the first one seals, all of them open. Share them between replicas of the gateway.",
    ),
  ...observeShape,
  cluster: clusterShape,
  ...catalogShape,
};

const configSchema = strict(topShape);

/** A value that came out of parsers, after other clients' sections became backends and variables were replaced. */
export function parseConfig(
  value: unknown,
): { readonly config: Config; readonly issues: undefined } | { readonly issues: readonly z.core.$ZodIssue[] } {
  const parsed = configSchema.safeParse(value);
  return parsed.success ? { config: parsed.data, issues: undefined } : { issues: parsed.error.issues };
}

const orReference = String.raw`|\$\{`;

/** JSON Schema (2020-12) of a config file as people write it. */
export function createJsonSchema(): object {
  return z.toJSONSchema(configSchema, {
    io: "input",
    override: ({ jsonSchema }) => {
      // zod drops the default of whatever it transforms, so that it travels under another name.
      const { fallback } = jsonSchema;
      if (typeof fallback === "string" || typeof fallback === "number" || typeof fallback === "boolean") {
        jsonSchema.default = fallback;
      }
      delete jsonSchema["fallback"];
      // A reference may stand wherever a text may. A schema comes here once for each of its wrappers.
      const { pattern } = jsonSchema;
      if (pattern?.endsWith(orReference) === false) jsonSchema.pattern = `(?:${pattern})${orReference}`;
    },
  });
}
