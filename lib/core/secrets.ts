// What gives a secret away: names of things that hold one, and shapes of the keys of common services.

/** Part of a name that says that its value is nobody's business. */
export const secretName: RegExp = /(?:key|token|secret|passw|auth|credential|cookie|session)/i;

/** Global: for `replace`; reset `lastIndex` or use a copy for `test`. */
export const secretShape: RegExp =
  /\b(?:sk-[\w-]{8,}|gh[pousr]_\w{8,}|github_pat_\w{8,}|xox[abpr]-[\w-]{8,}|AKIA\w{12,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]+)?|glpat-[\w-]{8,}|AIza[\w-]{20,})/g;

/** What is shorter is no secret, and a part of many words. */
const minChars = 8;
const mark = "•••";

/** What a child process is given that is nobody else's business: by its name, or by how it looks. */
export function secretsOf({
  args,
  env,
}: {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}): readonly string[] {
  const flagged = args.flatMap((arg, index) => {
    const before = args[index - 1] ?? "";
    if (/^--?[\w-]+$/.test(before) && secretName.test(before) && !arg.startsWith("-")) return [arg];
    const [, name = "", value = ""] = /^(--?[\w-]+|[A-Za-z_]\w*)=(.+)$/s.exec(arg) ?? [];
    return secretName.test(name) ? [value] : [];
  });
  const named = Object.entries(env).flatMap(([name, value]) => (secretName.test(name) ? [value] : []));
  const inside = [...args, ...Object.values(env)].flatMap((value) => passwordIn(value));
  const found = [...flagged, ...named, ...inside].filter((value) => value.length >= minChars);
  // The longest first: one may be a part of another.
  return [...new Set(found)].sort((one, other) => other.length - one.length);
}

function passwordIn(text: string): readonly string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/]*@/i.test(text)) return [];
  const { password = "" } = URL.parse(text) ?? {};
  try {
    return password === "" ? [] : [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

/** Takes these values out of texts, and whatever looks like a key of a common service. */
export function maskOf(values: readonly string[]): (text: string) => string {
  return (text) => values.reduce((left, value) => left.replaceAll(value, mark), text).replace(secretShape, mark);
}
