// JSON-RPC messages that the gateway writes itself; everything else is forwarded as bytes.

import type { GatewayError } from "./errors.ts";
import { encodeJson, encodeText, joinBytes } from "./text.ts";

const nullId = encodeText("null");

/** Raw JSON of an id, or JSON null where the request's id is unknown. */
export type RawId = Uint8Array | undefined;

export function resultMessage(id: Uint8Array, result: Uint8Array): Uint8Array {
  return joinBytes([encodeText('{"jsonrpc":"2.0","id":'), id, encodeText(',"result":'), result, encodeText("}")]);
}

export function errorMessage(id: RawId, error: GatewayError): Uint8Array {
  return joinBytes([
    encodeText('{"jsonrpc":"2.0","id":'),
    id ?? nullId,
    encodeText(',"error":'),
    encodeJson(error.toRpc()),
    encodeText("}"),
  ]);
}

export function requestMessage(id: number, method: string, params: unknown): Uint8Array {
  return encodeJson({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) });
}

export function notificationMessage(method: string, params?: unknown): Uint8Array {
  return encodeJson({ jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) });
}
