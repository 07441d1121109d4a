// Stdout and stderr where nobody watches. The runtime's own streams take a third of the time that `serve` needs to start,
// and 5 MiB; only terminals, and runtimes that have nothing else, get them.

import { fstatSync } from "node:fs";
import process from "node:process";

export type Descriptor = 1 | 2;

/** On Linux: memory, zeros and nothing, which are characters to the system and no terminals. */
const memoryMajor = 1;
/** What a reader that stands still leaves in the memory; what is said beyond that is lost. */
const maxHeldBytes = 4 * 2 ** 20;

/** Whether somebody watches. */
export function isTerminal(fd: Descriptor): boolean {
  try {
    const file = fstatSync(fd);
    if (!file.isCharacterDevice() || (process.platform === "linux" && file.rdev >> 8 === memoryMajor)) return false;
  } catch {
    return false;
  }
  return process.getBuiltinModule("node:tty").isatty(fd);
}

function streamOf(fd: Descriptor): NodeJS.WriteStream {
  return fd === 1 ? process.stdout : process.stderr;
}

class Sink {
  readonly #fd: Descriptor;
  #writer: Bun.FileSink | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #held = 0;

  constructor(fd: Descriptor) {
    this.#fd = fd;
  }

  /** Resolves when it has left: to what went wrong, where something did. */
  write(text: string | Uint8Array): Promise<unknown> {
    return (this.#last = this.#begin(text));
  }

  /** The same for what need not be heard: where nobody reads it, it is lost. */
  tell(text: string): void {
    if (this.#held <= maxHeldBytes) void this.write(text);
  }

  /** Resolves when all has left, or cannot. */
  async flush(): Promise<void> {
    await this.#last;
  }

  #begin(text: string | Uint8Array): Promise<unknown> {
    if (typeof Bun === "undefined" || isTerminal(this.#fd)) return writeTo(streamOf(this.#fd), text);
    this.#writer ??= (this.#fd === 1 ? Bun.stdout : Bun.stderr).writer();
    return this.#write(this.#writer, text);
  }

  async #write(writer: Bun.FileSink, text: string | Uint8Array): Promise<unknown> {
    this.#held += text.length;
    try {
      const written = writer.write(text);
      if (typeof written !== "number") await written;
      await writer.flush();
      return undefined;
    } catch (error) {
      return error;
    } finally {
      this.#held -= text.length;
    }
  }
}

function writeTo(stream: NodeJS.WriteStream, text: string | Uint8Array): Promise<unknown> {
  // Without a listener, a reader that has gone would end the program with a stack trace.
  if (stream.listenerCount("error") === 0) stream.on("error", () => {});
  return new Promise((resolve) => {
    try {
      stream.write(text, (error) => resolve(error ?? undefined));
    } catch (error) {
      // Deno throws at once where it can, and calls nobody back who writes where a write has failed.
      resolve(error);
    }
  });
}

/** Each once for the whole program, as the descriptors are. */
export const sinks: Readonly<Record<Descriptor, Sink>> = { 1: new Sink(1), 2: new Sink(2) };
