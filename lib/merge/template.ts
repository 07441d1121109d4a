// Which URIs a URI template can make (RFC 6570), decided in time linear in the URI for each part of the template.

const expression = /\{([^{}]*)\}/g;

/** A run of bytes that stands for itself, or what an expression may become: a first character, then any that `takes`. */
type Part =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "variable"; readonly first: string; readonly takes: RegExp };

const anything = /[^]/;
const segment = /[^/?#]/;
const path = /[^?#]/;
const query = /[^#]/;

/** Whether a URI can come from the template: reserved expansions match anything, query ones a query, others one segment. */
export function templateMatcher(template: string): (uri: string) => boolean {
  const parts: Part[] = [];
  let at = 0;
  for (const match of template.matchAll(expression)) {
    parts.push({ kind: "literal", text: template.slice(at, match.index) }, expressionPart(match[1] ?? ""));
    at = match.index + match[0].length;
  }
  parts.push({ kind: "literal", text: template.slice(at) });
  return (uri) => matches(parts, uri);
}

function expressionPart(body: string): Part {
  const variable = (first: string, takes: RegExp): Part => ({ kind: "variable", first, takes });
  switch (body[0]) {
    case "+":
      return variable("", anything);
    case "#":
      return variable("#", anything);
    case "?":
    case "&":
      return variable(body[0], query);
    case "/":
      return variable("/", path);
    case ".":
    case ";":
      return variable(body[0], segment);
    case undefined:
    default:
      return variable("", segment);
  }
}

/**
 * Keeps the set of offsets that the parts so far can end at. A regular expression would backtrack: a template of many
 * expressions, which any backend may list, could hold the process for hours.
 */
function matches(parts: readonly Part[], uri: string): boolean {
  let ends: Uint8Array = new Uint8Array(uri.length + 1);
  ends[0] = 1;
  for (const part of parts)
    ends = part.kind === "literal" ? afterLiteral(part.text, uri, ends) : afterVariable(part, uri, ends);
  return ends[uri.length] === 1;
}

function afterLiteral(text: string, uri: string, ends: Uint8Array): Uint8Array {
  const next = new Uint8Array(ends.length);
  for (let at = ends.indexOf(1); at >= 0; at = ends.indexOf(1, at + 1)) {
    if (uri.startsWith(text, at)) next[at + text.length] = 1;
  }
  return next;
}

/** An expression without values becomes nothing. */
function afterVariable(
  { first, takes }: Extract<Part, { kind: "variable" }>,
  uri: string,
  ends: Uint8Array,
): Uint8Array {
  const next = ends.slice();
  let open = false;
  for (let at = 1; at < ends.length; at += 1) {
    const last = uri.charAt(at - 1);
    const opens = ends[at - 1] === 1 && (first === "" ? takes.test(last) : last === first);
    open = opens || (open && takes.test(last));
    if (open) next[at] = 1;
  }
  return next;
}
