// Writes a request as fast as its server takes it.

import type { TcpSocket } from "../core/tcp.ts";
import { encodeStart, type HttpRequest } from "./request.ts";

/** Head and body go out in one write up to this size; a larger body is written in pieces of it. */
const WRITE_BYTES = 64 * 1024;

/** Sets `written` when all of it has left; stops where `isWanted` says no. */
export function sendRequest(
  socket: TcpSocket,
  begin: Uint8Array,
  request: HttpRequest,
  exchange: { written: boolean },
  isWanted: () => boolean,
): void {
  const { body = new Uint8Array() } = request;
  let offset = Math.min(body.length, WRITE_BYTES);
  // One write, one packet: a head alone would cost the server a second read, and some servers a delay.
  let accepted = socket.write(encodeStart(begin, request, offset));
  if (offset === body.length) {
    exchange.written = true;
    return;
  }
  const pump = (): void => {
    if (!isWanted()) return;
    while (accepted && offset < body.length) {
      const piece = body.subarray(offset, offset + WRITE_BYTES);
      offset += piece.length;
      accepted = socket.write(piece);
    }
    if (offset >= body.length) {
      exchange.written = true;
      return;
    }
    socket.once("drain", () => {
      accepted = true;
      pump();
    });
  };
  pump();
}
