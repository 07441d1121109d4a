// The built-in notes of the demo backend "notes": short truths about the Model Context Protocol and mcpctl.

export interface Note {
  readonly title: string;
  /** Markdown; the first sentence describes the note in listings. */
  readonly body: string;
}

const note = (title: string, ...lines: readonly string[]): Note => ({ title, body: lines.join(" ") });

export const builtInNotes: readonly Note[] = [
  note(
    "Backends and replicas",
    "A backend is one logical MCP server behind the gateway, with a name from the config. A replica is one",
    "endpoint of it: a URL, or a command that is started. The demo clock has two replicas, and the member",
    "`replica` of its answers shows which of them was asked.",
  ),
  note(
    "Exposed names",
    "A tool or prompt `search` of the backend `docs` is exposed as `docs__search`, also when there is only one",
    "backend, so that adding a second one renames nothing. With `naming: none` the local names are exposed as",
    "they are, and with `naming: conflict` only names that collide get the prefix.",
  ),
  note(
    "One backend by itself",
    "The address `/mcp` serves all backends together. `/mcp/<backend>` serves a single one by its local names,",
    "for a client that needs just that server, or for finding out whether a problem lies in a backend or in the",
    "merging.",
  ),
  note(
    "The handshake",
    "In the legacy revisions a client starts with `initialize`: it names the newest revision that it speaks, its",
    "capabilities and itself. The server answers with the same revision if it speaks it, or else with another one",
    "that it does, and the client then sends `notifications/initialized`.",
  ),
  note(
    "Protocol eras",
    "The legacy revisions open a session with `initialize` and let a server send requests to its client. The",
    "modern revision is stateless: each request carries its protocol version and the client's capabilities in",
    "`_meta`, and `server/discover` tells what a server offers.",
  ),
  note(
    "Capabilities",
    "Both sides declare in the handshake what they support, and neither may use what the other did not declare. A",
    "server that does not declare `resources` need not answer `resources/list`; a client that does not declare",
    "`sampling` must not be asked to sample.",
  ),
  note(
    "Sessions",
    "Over Streamable HTTP a legacy server may name a session in the `MCP-Session-Id` header of its answer to",
    "`initialize`, and the client sends that header with every later request. A 404 means that the session is",
    "gone and that the client should initialize again. A client that is done should end its session with",
    "`DELETE`.",
  ),
  note(
    "Tools",
    "A tool is a function that the model may decide to call: a name, a description, and a JSON Schema of its",
    "arguments. `tools/list` finds tools and `tools/call` runs one. Write the description for a reader who sees",
    "nothing else, because the model sees nothing else.",
  ),
  note(
    "Tool errors",
    "There are two kinds. An unknown tool or a malformed request is a JSON-RPC error. A tool that ran and failed,",
    "or that was given arguments it cannot use, answers with a result that has `isError: true` and a text that",
    "says what to change, so that the model can try again.",
  ),
  note(
    "Tool annotations",
    "`readOnlyHint` says that a tool changes nothing, `idempotentHint` that repeating a call with the same",
    "arguments has no further effect, `destructiveHint` that it may destroy something, and `openWorldHint` that",
    "it reaches beyond its own system. They are hints: believe them only of servers that you trust.",
  ),
  note(
    "Structured results",
    "A tool with an `outputSchema` answers with `structuredContent` that fits it, so that a program need not read",
    "prose. The same JSON should also be in a text item, for clients that look at nothing else. The demo tools",
    "`word_count` and `now` do both.",
  ),
  note(
    "Resources",
    "A resource is data with a URI that the application, not the model, decides to read: a file, a row, a note",
    "such as this one. `resources/list` shows what there is, and `resources/read` gives the contents as text or",
    "as base64. A tool can point to one with a `resource_link` in its result.",
  ),
  note(
    "Resource templates",
    "A server that cannot list everything it has offers URI templates, in the notation of RFC 6570. The template",
    "of these notes is `note://mcpctl/{slug}`, and `completion/complete` finds values for its variable.",
  ),
  note(
    "Subscriptions",
    "A client that has subscribed to a resource with `resources/subscribe` gets `notifications/resources/updated`",
    "when it changes. The notification carries the URI and not the contents: read the resource again. To see one",
    "here, add a note, subscribe to it, and add another with the same title.",
  ),
  note(
    "List changes",
    "A server that declared `listChanged` sends a notification when its tools, prompts or resources are no longer",
    "what they were, and the client lists them again. The notification does not say what has changed. Adding a",
    "note to this server sends one.",
  ),
  note(
    "Cursors",
    "A long list comes in pages. If a result has a `nextCursor`, send it as `cursor` with the next request; if it",
    "has none, that was the last page. A cursor is opaque: do not take it apart, do not make one up, and do not",
    "guess the page size. An invalid cursor is answered with the error -32602. This server lists ten notes a",
    "page.",
  ),
  note(
    "Prompts",
    "A prompt is a template for messages that a user chooses, often as a command with a slash. `prompts/list`",
    "shows its arguments and `prompts/get` fills them in. The demo server `text` has one, `summarize`.",
  ),
  note(
    "Completion",
    "`completion/complete` suggests values for an argument of a prompt or a variable of a resource template while",
    "a person types. A server answers with at most a hundred values, the most relevant first, and may say how",
    "many there are in all.",
  ),
  note(
    "Progress",
    "A client that wants to hear how a long request gets on puts a `progressToken` into its `_meta`, unique among",
    "its running requests. The server may then send `notifications/progress`, in which the progress grows each",
    "time. The demo tool `repeat_slowly` does, once for each repetition.",
  ),
  note(
    "Cancellation",
    "A request is given up with `notifications/cancelled` and its id. The other side should stop the work and",
    "should send no answer, but an answer can already be on its way, so be ready to ignore one. To close an HTTP",
    "connection says less: a client that lost its stream may want to come back for the answer, so a client that",
    "does not should cancel first. `initialize` cannot be cancelled.",
  ),
  note(
    "Timeouts",
    "Set a timeout for every request, and send a cancellation when it has passed. Progress may restart the clock,",
    "because it shows that there is work going on, but keep an upper limit all the same.",
  ),
  note(
    "Sampling",
    "With `sampling/createMessage` a server asks its client to have a language model write something, so that the",
    "server needs no key of its own. A person should be able to see and refuse it. Only a client that declared",
    "`sampling` may be asked.",
  ),
  note(
    "Elicitation",
    "With `elicitation/create` a server asks the user for something in the middle of a call. In form mode the",
    "client shows fields made from a flat JSON Schema; in URL mode it sends the user to a web page. Passwords,",
    "keys and payment data belong to URL mode, never to a form.",
  ),
  note(
    "Roots",
    "Roots are the directories that a client lets a server work in, as `file://` URIs. The server asks for them",
    "with `roots/list` and hears of changes by a notification. They guide a well-meaning server; they do not lock",
    "out another kind.",
  ),
  note(
    "Log messages",
    "A server that declared `logging` may send `notifications/message` with one of eight levels, from `debug` to",
    "`emergency`, and a client picks the lowest that it wants with `logging/setLevel`. Over stdin and stdout a",
    "server may also write plain text to stderr.",
  ),
  note(
    "Stdio framing",
    "Over stdin and stdout each message is one line of JSON in UTF-8, with no line break inside it, and nothing",
    "else may be written to stdout. A stray debugging line there is the most common reason for a server that",
    "works by hand and fails in a client; write such lines to stderr.",
  ),
  note(
    "Streamable HTTP",
    "Every message is a `POST` to one address, with an `Accept` header that names both `application/json` and",
    "`text/event-stream`. The server answers a request with a JSON object or with a stream of events. A `GET`",
    "opens a stream for what the server has to say without being asked, and after a broken connection",
    "`Last-Event-ID` asks for what was missed.",
  ),
  note(
    "Origin checks",
    "A web page can make a browser send requests to a server on your own machine. So a local server must check",
    "the `Origin` header and refuse a foreign one with 403, and it should listen on 127.0.0.1 only.",
  ),
  note(
    "Safe repetition",
    "mcpctl repeats a call by itself in two cases only: when the call never reached a backend, or when repeating",
    "it is known to be safe, because the tool declares `readOnlyHint` or `idempotentHint` or the operator lists",
    "it. An answer is never asked for again, not even one that says `isError`.",
  ),
  note(
    "Isolation",
    "Two people must not meet in one upstream session. `isolation: principal`, the default, keeps one set of",
    "links for each caller; `session` gives each session its own; `shared` is the operator's word that a backend",
    "keeps no state and may serve everyone over the same links.",
  ),
];
