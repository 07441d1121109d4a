// What a config may say of a server that is not trusted: the sandbox that it runs in, and what of its results is let through.

/** The rules of the sandbox in words of its own; the word alone means its defaults. */
export interface SandboxMap {
  readonly type: "bubblewrap";
  /** Paths that stay to be seen where everything around them is hidden. */
  readonly read?: readonly string[] | undefined;
  readonly write?: readonly string[] | undefined;
  readonly hide?: readonly string[] | undefined;
  readonly network?: boolean | undefined;
}

export type SandboxConfig = "bubblewrap" | SandboxMap;

export interface GuardConfig {
  /** Bytes. */
  readonly size?: number | undefined;
  /** Globs of MIME types. */
  readonly types?: readonly string[] | undefined;
  /** Regular expressions, as RE2 reads them. */
  readonly mask?: readonly string[] | undefined;
}

export const typePattern: RegExp = /^[A-Za-z0-9!#$&^_.+*-]{1,127}\/[A-Za-z0-9!#$&^_.+*-]{1,127}$/;
const maxPatternChars = 1000;

/** Whether RE2 may take it: it knows no look-around and no references back, for what they cost is not bounded. */
export function isMaskPattern(text: string): boolean {
  if (text === "" || text.length > maxPatternChars || text.includes("\0")) return false;
  const plain = text.replace(/^\(\?[imsU]+\)/, "").replaceAll("(?P<", "(?<");
  if (/\(\?(?:<?[=!])|(?<!\\)(?:\\\\)*\\(?:[1-9]|k<)/.test(plain)) return false;
  try {
    return new RegExp(plain, "s").source !== "";
  } catch {
    return false;
  }
}
