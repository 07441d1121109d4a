// One connection of a client: its requests one after another, and their answers, with back-pressure both ways.

import { MessageParser, type MessageSink } from "../backend/http1.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { giveBack } from "../core/room.ts";
import { listenTo, type TcpListener, type TcpSocket } from "../core/tcp.ts";
import { Ahead } from "./ahead.ts";
import type { AnswerEncoder, AnswerForm } from "./answer.ts";
import { type ChunkOutput, ChunkSink, leaveAtOnce } from "./chunks.ts";
import type { EventBody, Handle, HttpReply, HttpRequest, Lane, LaneClient } from "./exchange.ts";
import { Outbox } from "./outbox.ts";
import { type Patience, type Phase, Stillness } from "./patience.ts";
import { errorReply, isEvents, notHttp } from "./reply.ts";
import { IncomingRequest, type RequestSource } from "./request.ts";
import { type RequestHead, requestGrammar } from "./request-head.ts";
import { Track } from "./track.ts";

export interface ClientOptions {
  readonly handle: Handle;
  readonly encoder: AnswerEncoder;
  readonly closed: (client: ClientConnection) => void;
  /** Line and headers together. */
  readonly maxHeadBytes: number;
}

/** The rest of a body that nobody wanted is read up to this size, so that the connection can be used on. */
const maxSkippedBytes = 64 * 1024;
const continueLine = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

export class ClientConnection implements MessageSink<RequestHead>, TcpListener, RequestSource, LaneClient, ChunkOutput {
  readonly #socket: TcpSocket;
  readonly #options: ClientOptions;
  readonly #parser: MessageParser<RequestHead>;
  readonly out: Outbox;
  readonly encoder: AnswerEncoder;
  readonly #stillness = new Stillness();
  #request: IncomingRequest | undefined;
  /** Handed to its route. */
  #answering = false;
  #stream: ChunkSink | undefined;
  /** What came after the request that is being answered. */
  #ahead: Ahead | undefined;
  #track: Track | undefined;
  /** Requests. */
  answered = 0;
  /** The client has answers to read before its next request is looked at. */
  #behind = false;
  /** No request is answered after this one. */
  #last = false;
  /** The client has closed its side. */
  #halfClosed = false;
  /** Nothing is read any more. */
  #ended = false;
  #closed = false;

  constructor(socket: TcpSocket, options: ClientOptions) {
    this.#socket = socket;
    this.#options = options;
    this.encoder = options.encoder;
    this.#parser = new MessageParser(requestGrammar, this, options.maxHeadBytes);
    this.out = new Outbox(socket, options.encoder.traffic);
    listenTo(socket, this);
  }

  /** Ends after the request that has begun; where there is none now, or with `waits` after the next one. */
  finish(waits: boolean = false): void {
    // What answers it says that the connection closes.
    this.#track?.divert();
    this.#last = true;
    if (!waits && !this.#request && (this.#parser.done || !this.#parser.started)) this.#end();
  }

  destroy(): void {
    this.#socket.destroy();
    this.onClose();
  }

  /** Called from time to time, `passedMs` after the last time: gives up what does not come or is not read. */
  sweep(passedMs: number, patience: Patience): void {
    const phase = this.phase;
    // The next request may be hours away.
    if (phase === "streaming" && this.#request?.complete) this.#forget();
    if (!this.#stillness.isOver(phase, this.answered, passedMs, patience)) return;
    const error = new GatewayError("timeout", "the request was not complete in time");
    this.#last = true;
    if (phase === "head") this.#refuse(error);
    // Its route waits for the body, and answers.
    else if (phase !== "body" || !this.#request?.cut(error)) this.destroy();
  }

  get phase(): Phase {
    if (this.out.waiting > 0) return "writing";
    if (this.#ended) return "ending";
    if (this.#stream) return "streaming";
    if (this.#track?.isBusy || (this.#answering && this.#request?.complete)) return "answering";
    if (this.#request) return "body";
    return this.#parser.started ? "head" : "idle";
  }

  onData(bytes: Uint8Array): void {
    if (this.#ended || this.#closed) return;
    this.#stillness.heard();
    // No request is begun before the one before it is answered.
    if (this.#parser.done || this.#track?.isBusy)
      return void (this.#ahead = Ahead.keep(this.#ahead, this.#socket, bytes));
    this.encoder.traffic.received += bytes.length;
    const isIdle = !this.#request && !this.#last && !this.#parser.started && this.out.waiting === 0;
    if (isIdle && this.#track?.take(this, bytes)) return;
    const wrong = this.#parser.push(bytes);
    if (wrong !== undefined) return this.#refuse(notHttp(wrong, this.#parser.isFull));
    if (this.#parser.surplus > 0)
      this.#ahead = Ahead.keep(this.#ahead, this.#socket, bytes.subarray(-this.#parser.surplus));
    const request = this.#request;
    if (request && !this.#answering) this.#hand(request);
    // The rest of a body that nobody wanted.
    else if (!request && this.#parser.done) this.#next();
  }

  offer(lane: () => Lane, isStream: boolean): void {
    if (isStream && this.encoder.crowd.isLarge) return;
    (this.#track ??= new Track()).lay(this.#parser.memory, this.#request?.head, lane);
  }

  sent(length: number): void {
    this.#track?.leave();
    this.#stillness.heard();
    this.writeStart(this.encoder.room, length);
    this.ended();
  }

  divert(bytes: Uint8Array, answer: (request: HttpRequest) => Promise<HttpReply>): void {
    this.#track?.leave();
    this.#parser.push(bytes);
    this.#answering = true;
    if (this.#request) this.#answerLater(this.#request, answer(this.#request));
  }

  onHead(head: RequestHead): void {
    this.#request = new IncomingRequest(head, this, this.#socket);
  }

  onBody(piece: Uint8Array): void {
    this.#request?.add(piece);
  }

  onDone(): void {
    this.#request?.finish();
  }

  wanted(): void {
    this.out.write(continueLine);
  }

  #hand(request: IncomingRequest): void {
    this.#answering = true;
    try {
      if (request.head.expects === "other")
        throw new GatewayError("expectation", "the gateway cannot do what the Expect header asks");
      const reply = this.#options.handle(request);
      if (!(reply instanceof Promise)) return this.#answer(request, reply);
      this.#answerLater(request, reply);
    } catch (error) {
      this.#answer(request, errorReply(asGatewayError(error), undefined));
    }
  }

  #answerLater(request: IncomingRequest, reply: Promise<HttpReply>): void {
    reply.then(
      (late) => this.#answer(request, late),
      (error: unknown) => this.#answer(request, errorReply(asGatewayError(error), undefined)),
    );
  }

  #answer({ head, left }: IncomingRequest, reply: HttpReply): void {
    const { body } = reply;
    if (this.#closed || (this.#halfClosed && isEvents(body))) {
      if (isEvents(body)) leaveAtOnce(body);
      return this.destroy();
    }
    this.#stillness.heard();
    // What is left of a body that nobody wanted must not be read as the next request.
    this.#last ||= left > maxSkippedBytes || !head.keepAlive;
    const form = { isOld: head.isOld, isLast: this.#last };
    if (isEvents(body) && head.method !== "HEAD") return this.#send(reply, body, form);
    this.#put(reply, isEvents(body) ? undefined : body, form, head.method === "HEAD");
    this.ended();
  }

  #put({ status, headers }: HttpReply, body: Uint8Array | undefined, form: AnswerForm, isHead: boolean): void {
    const { first, rest } = this.encoder.answer(status, headers, body, form, isHead);
    this.write(first);
    if (rest) this.write(rest, () => giveBack(rest));
  }

  #send({ status, headers }: HttpReply, body: EventBody, form: AnswerForm): void {
    this.#last ||= form.isOld;
    const head = this.encoder.streamHead(status, headers, { ...form, isLast: this.#last });
    const stream = (this.#stream = new ChunkSink(this, head, !form.isOld));
    stream.watch(body.open(stream));
    // A stream may stay open for hours.
    if (!this.#request?.complete) return;
    this.#request.settle();
    if (this.encoder.crowd.isLarge) this.#forget();
  }

  /** Drops what only makes the next request cheaper. */
  #forget(): void {
    this.#parser.forget();
    this.#track = undefined;
  }

  /** Writes, and gives up a client that does not read. */
  write(bytes: Uint8Array, taken?: () => void): void {
    if (this.#closed) return;
    if (this.out.isUnread) return this.destroy();
    this.out.write(bytes, taken);
  }

  /** The same with bytes that are used again at once. */
  writeStart(bytes: Uint8Array, length: number): void {
    if (this.#closed || length === 0) return;
    if (this.out.isUnread) return this.destroy();
    this.out.writeStart(bytes, length);
  }

  onDrain(): void {
    this.out.drained();
    this.#stillness.heard();
    if (!this.#behind || this.out.waiting > 0 || this.#ended) return;
    this.#behind = false;
    this.#next();
  }

  /** The answer is out: on to the next request. */
  ended(): void {
    this.#request = this.#stream = undefined;
    this.#answering = false;
    this.answered += 1;
    if (this.#last) return this.#end();
    const { done, started } = this.#parser;
    // A request that went straight was never begun there.
    if (started && !done) this.#socket.resume();
    else if (done && this.out.isBehind) this.#behind = true;
    else this.#next();
  }

  #next(): void {
    if (this.#last) return this.#end();
    this.#parser.next();
    if (!this.#ahead || this.#ahead.isEmpty) return;
    const ahead = this.#ahead.take();
    this.#socket.resume();
    // In another turn, or a long row of requests would nest.
    queueMicrotask(() => this.onData(ahead));
  }

  #refuse(error: GatewayError): void {
    this.#last = true;
    // Its route waits for the body, and answers; a route that does not has answered, or will.
    if (this.#answering) return void this.#request?.cut(error);
    // In the rest of a body whose request was answered.
    if (!this.#request && this.#parser.isPastHead) return this.#end();
    const reply = errorReply(error, undefined);
    this.#put(reply, isEvents(reply.body) ? undefined : reply.body, { isOld: false, isLast: true }, false);
    this.#end();
  }

  /** A client that closes its side is gone, as far as anybody can tell; it may still read what need not be called off. */
  onEnd(): void {
    this.#track?.divert();
    this.#halfClosed = true;
    this.#last = true;
    this.#ahead?.drop();
    if (this.#stream) this.destroy();
    else if (this.#request) this.#request.lose();
    else this.#end();
  }

  /** Closes this side; what the client still sends is read and dropped, for a reset would cost it the answer. */
  #end(): void {
    this.#ended = true;
    this.#ahead?.drop();
    this.#request = undefined;
    this.#socket.resume();
    this.out.end();
  }

  onClose(): void {
    this.out.relieve();
    if (this.#closed) return;
    this.#track?.divert();
    this.#closed = true;
    const [request, stream] = [this.#request, this.#stream];
    this.#request = this.#stream = undefined;
    this.#ahead?.drop();
    request?.lose();
    stream?.lose();
    this.#options.closed(this);
  }
}
