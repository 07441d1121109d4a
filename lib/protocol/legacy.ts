// The legacy era: revisions up to 2025-11-25, with initialize, sessions and server-to-client requests.

import { asRecord, isRecord } from "../core/text.ts";
import type { ClientFacts, EraCodec, ServerFacts } from "./codec.ts";

const versions = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const;

/** The one revision whose messages may come as a JSON array (2025-03-26, Basic, "Batching"). */
export function allowsBatch(version: string): boolean {
  return version === "2025-03-26";
}

/** Whether clients of a revision take an event without data (2025-11-25, Transports); older ones parse it as JSON. */
export function primesStreams(version: string): boolean {
  return version >= versions[0];
}

export const legacyCodec: EraCodec = {
  era: "legacy",
  versions,
  requests: new Set([
    "initialize",
    "ping",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
    "logging/setLevel",
    "tasks/get",
    "tasks/result",
    "tasks/list",
    "tasks/cancel",
  ]),
  openMethod: "initialize",
  openedMethod: "notifications/initialized",
  negotiate: (requested) => versions.find((version) => version === requested) ?? versions[0],
  openParams: (client: ClientFacts) => ({
    protocolVersion: versions[0],
    capabilities: client.capabilities,
    clientInfo: { name: client.name, version: client.version },
  }),
  readOpened(result: unknown): ServerFacts | undefined {
    if (!isRecord(result)) return undefined;
    const { protocolVersion, capabilities, serverInfo, instructions } = result;
    if (typeof protocolVersion !== "string" || !versions.some((version) => version === protocolVersion))
      return undefined;
    return {
      protocolVersion,
      capabilities: asRecord(capabilities),
      serverInfo: asRecord(serverInfo),
      instructions: typeof instructions === "string" ? instructions : undefined,
    };
  },
};

/** Log levels of 2025-11-25, Logging, "Log Levels", least severe first. */
export const logLevels: readonly string[] = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
];

/**
 * What the gateway declares on a link that several clients share: everything it can forward to whichever client caused
 * the request. A client that lacks a capability is protected when the request arrives.
 */
export const sharedClientCapabilities: Readonly<Record<string, unknown>> = {
  roots: { listChanged: true },
  sampling: { context: {}, tools: {} },
  elicitation: { form: {}, url: {} },
};
