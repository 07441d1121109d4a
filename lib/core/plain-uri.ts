// What a URI means to whoever decodes it and resolves its dots: two texts can name one resource.

const maxRounds = 4;

/** The URI without percent-encoding, "." and ".."; the same text for most. */
export function plainUri(uri: string): string {
  let plain = uri;
  // Each one that passes it on may decode it once more.
  for (let round = 0; round < maxRounds && plain.includes("%"); round += 1) {
    const decoded = plain.replaceAll(/(?:%[0-9a-f]{2})+/gi, decodeRun);
    if (decoded === plain) break;
    plain = decoded;
  }
  const [, start = "", path = ""] = /^([a-z][a-z0-9+.-]*:(?:\/\/[^/]*)?)?([^]*)$/i.exec(plain) ?? [];
  if (!/(?:^|[/\\])\.{1,2}(?:[/\\]|$)|\/\/|\\/.test(path)) return plain;
  const kept: string[] = [];
  for (const part of path.split(/[/\\]+/)) {
    if (part === "..") kept.pop();
    else if (part !== "." && part !== "") kept.push(part);
  }
  return `${start}${/^[/\\]/.test(path) ? "/" : ""}${kept.join("/")}`;
}

function decodeRun(run: string): string {
  try {
    return decodeURIComponent(run);
  } catch {
    return run;
  }
}
