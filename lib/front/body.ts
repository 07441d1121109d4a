// Reads a request's body as bytes, up to a limit.

import { GatewayError } from "../core/errors.ts";
import { joinBytes } from "../core/text.ts";

/** The whole body; throws `tooLarge` over `maxBytes`, without reading the rest. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  if (!Number.isNaN(declared)) return new Uint8Array(await request.arrayBuffer());
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) {
    length += read.value.length;
    if (length > maxBytes) {
      void reader?.cancel().catch(() => {});
      throw tooLarge(maxBytes);
    }
    pieces.push(read.value);
  }
  return joinBytes(pieces);
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError("tooLarge", `the body is larger than ${maxBytes} bytes`);
}
