// URLs of unix sockets, as nginx writes them: `unix:` and a file, then perhaps `:` and the path of requests.

interface UnixUrl {
  readonly file: string;
  /** Of requests; "/" where the URL has none. */
  readonly path: string;
}

const form = /^(\/[^:]+)(?::(\/.*))?$/;

/** `unix:/run/mcp.sock:/mcp` in its parts; undefined where it names no absolute file. A colon in the file is `%3A`. */
export function readUnixUrl(url: URL): UnixUrl | undefined {
  const [, file, path = "/"] = (url.host === "" ? form.exec(url.pathname) : null) ?? [];
  return file === undefined ? undefined : { file: decode(file), path };
}

// A stray percent sign stands for itself.
function decode(written: string): string {
  try {
    return decodeURIComponent(written);
  } catch {
    return written;
  }
}
