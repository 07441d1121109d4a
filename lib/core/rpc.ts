// JSON-RPC messages that the gateway writes itself; everything else is forwarded as bytes.

import type { GatewayError } from "./errors.ts";
import { encodeJson, encodeText, joinBytes } from "./text.ts";

export function resultMessage(id: Uint8Array, result: Uint8Array): Uint8Array {
  return joinBytes([encodeText('{"jsonrpc":"2.0","id":'), id, encodeText(',"result":'), result, encodeText("}")]);
}

/** An error reply; without an id where none could be read (2025-11-25, Transports, "Sending Messages to the Server"). */
export function errorMessage(id: Uint8Array | undefined, error: GatewayError): Uint8Array {
  const open = id ? joinBytes([encodeText('{"jsonrpc":"2.0","id":'), id]) : encodeText('{"jsonrpc":"2.0"');
  return joinBytes([open, encodeText(',"error":'), encodeJson(error.toRpc()), encodeText("}")]);
}

export function requestMessage(id: number, method: string, params: unknown): Uint8Array {
  return encodeJson({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) });
}

export function notificationMessage(method: string, params?: unknown): Uint8Array {
  return encodeJson({ jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) });
}
