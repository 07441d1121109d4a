// The demo backends: small MCP servers inside the program itself, so that `serve --demo` needs nothing else.

import { createClock } from "./demo-clock.ts";
import { createNotes } from "./demo-notes.ts";
import { type DemoServer, type Notify, serveDemo } from "./demo-server.ts";
import { createText } from "./demo-text.ts";

export type DemoName = "text" | "clock" | "notes";

export const demoNames: readonly DemoName[] = ["text", "clock", "notes"];

/**
 * Serves one demo backend on the given streams until the input ends or a stream fails; what was written has left then.
 * `replica` is the name that answers of the clock carry.
 */
export function runDemo(
  name: DemoName,
  replica: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Promise<void> {
  return serveDemo((notify) => createDemo(name, replica, notify), input, output);
}

function createDemo(name: DemoName, replica: string, notify: Notify): DemoServer {
  switch (name) {
    case "text":
      return createText();
    case "clock":
      return createClock(replica);
    case "notes":
      return createNotes(notify);
  }
}
