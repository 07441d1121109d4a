// Reads a request's body as bytes, up to a limit.

import { GatewayError } from "../core/errors.ts";
import { joinBytes } from "../core/text.ts";

/** The whole body; throws `tooLarge` over `maxBytes` without reading the rest, `invalidRequest` where it ends early. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  try {
    // A length counts only where nothing else says how the body is framed.
    const isBounded = declared >= 0 && !request.headers.has("transfer-encoding");
    return isBounded ? new Uint8Array(await request.arrayBuffer()) : await readPieces(request, maxBytes);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    // The client went away while it sent: nobody hears this answer, and it is no bug of ours.
    throw new GatewayError("invalidRequest", "the body ended too early", { cause: error });
  }
}

async function readPieces(request: Request, maxBytes: number): Promise<Uint8Array> {
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
  const [only = new Uint8Array()] = pieces;
  return pieces.length > 1 ? joinBytes(pieces) : only;
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError("tooLarge", `the body is larger than ${maxBytes} bytes`);
}
