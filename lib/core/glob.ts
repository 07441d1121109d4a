// Names with a `*` for any part.

/** True for a name that one of the globs fits. */
export function matcherOf(globs: readonly string[]): (name: string) => boolean {
  if (globs.length === 0) return () => false;
  const parts = globs.map((glob) =>
    glob
      .split("*")
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      .join(".*"),
  );
  const pattern = new RegExp(`^(?:${parts.join("|")})$`, "s");
  return (name) => pattern.test(name);
}
