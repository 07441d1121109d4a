// Objects in which a name stands twice: parsers disagree about which of the values counts.

/** Whether any object in a valid JSON text has a member twice. */
export function hasDoubledKeys(json: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\]:]/gs;
  let text: string | undefined;
  for (const [found] of json.matchAll(token)) {
    if (found === "{") open.push(new Set());
    else if (found === "[") open.push(undefined);
    else if (found === "}" || found === "]") open.pop();
    else if (found !== ":") {
      text = found;
      continue;
    } else if (text !== undefined) {
      const keys = open.at(-1);
      const key: unknown = JSON.parse(text);
      if (keys?.has(String(key))) return true;
      keys?.add(String(key));
    }
    text = undefined;
  }
  return false;
}
