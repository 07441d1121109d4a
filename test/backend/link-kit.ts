// A link over a wire that the test holds: what went out, and what it lets come in.
import { ClientCancel, type Caller, Link, type LinkPeer } from "../../lib/backend/link.ts";
import type { SendOutcome, Transport } from "../../lib/backend/transport.ts";
import { type Envelope, scan } from "../../lib/core/envelope.ts";
import type { Scope } from "../../lib/core/scope.ts";
import { decodeText, encodeText } from "../../lib/core/text.ts";

export function envelopeOf(text: string): Envelope {
  const scanned = scan(encodeText(text));
  if (scanned.kind !== "message") throw new Error(`no message: ${text}`);
  return scanned.envelope;
}

export const cancelBy = (notice: string): ClientCancel => new ClientCancel(envelopeOf(notice));

/** A client's call that keeps what it was given, in order. */
export class TestCaller implements Caller {
  readonly session: object;
  readonly heard: string[] = [];
  constructor(session: object = {}) {
    this.session = session;
  }
  deliver(message: Uint8Array): void {
    this.heard.push(decodeText(message));
  }
  created(backend: string, taskId: string): void {
    this.heard.push(`created ${backend} ${taskId}`);
  }
}

interface Sent {
  readonly text: string;
  readonly call: number | undefined;
  readonly scope: Scope;
  /** Ends the exchange of this message. */
  readonly settle: (outcome: SendOutcome | Error) => void;
}

/** What the peer of the link was told. */
export interface Told {
  readonly kind: "notified" | "asked" | "strayed" | "ended";
  readonly text: string;
  readonly caller?: Caller | undefined;
}

export class TestWire implements Transport, LinkPeer {
  readonly link: Link = new Link("b", "owner", this);
  readonly sent: Sent[] = [];
  readonly told: Told[] = [];
  closes = 0;

  constructor() {
    this.link.attach(this);
    this.link.negotiated({ protocolVersion: "2025-11-25", capabilities: {}, serverInfo: {}, instructions: undefined });
  }

  send(message: Uint8Array, call: number | undefined, scope: Scope): Promise<SendOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<SendOutcome>();
    const settle = (outcome: SendOutcome | Error): void =>
      outcome instanceof Error ? reject(outcome) : resolve(outcome);
    this.sent.push({ text: decodeText(message), call, scope, settle });
    return promise;
  }
  negotiated(): void {}
  opened(): void {}
  close(): Promise<void> {
    this.closes += 1;
    return Promise.resolve();
  }

  /** The text of the last message out, parsed. */
  get last(): Record<string, unknown> {
    return JSON.parse(this.sent.at(-1)?.text ?? "null") as Record<string, unknown>;
  }

  receive(text: string, cause?: number): void {
    this.link.message(encodeText(text), cause);
  }

  notified(_link: Link, envelope: Envelope, caller: Caller | undefined): void {
    this.told.push({ kind: "notified", text: decodeText(envelope.bytes), caller });
  }
  asked(_link: Link, envelope: Envelope, caller: Caller | undefined): void {
    this.told.push({ kind: "asked", text: decodeText(envelope.bytes), caller });
  }
  strayed(_link: Link, what: string): void {
    this.told.push({ kind: "strayed", text: what });
  }
  ended(): void {
    this.told.push({ kind: "ended", text: "" });
  }
}

export function request(id: string, params = '{"name":"t"}'): Envelope {
  return envelopeOf(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${params}}`);
}
