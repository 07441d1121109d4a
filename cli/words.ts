// The words of a command line, read as `parseArgs` of node:util reads them when it is not strict; that module takes a
// fifteenth of a start to load.

export type Kinds = Readonly<Record<string, { readonly type: "boolean" | "string"; readonly short?: string }>>;

export type Word =
  | { readonly kind: "positional"; readonly value: string }
  | {
      readonly kind: "option";
      readonly name: string;
      /** As it was written. */
      readonly rawName: string;
      readonly value: string | undefined;
      /** In the same word as its name. */
      readonly isInline: boolean;
    };

/** What is behind `--` is positional. */
export function readWords(argv: readonly string[], kinds: Kinds): readonly Word[] {
  const longs = new Map(Object.entries(kinds).flatMap(([name, { short }]) => (short ? [[short, name] as const] : [])));
  const takesValue = (name: string): boolean => Object.hasOwn(kinds, name) && kinds[name]?.type === "string";
  const words: Word[] = [];
  const left = [...argv];
  const option = (name: string, rawName: string): void => {
    const value = takesValue(name) ? left.shift() : undefined;
    words.push({ kind: "option", name, rawName, value, isInline: false });
  };
  // `-ab` is `-a -b`, and `-abx` is `-a -b x` where -b takes a value.
  const shorts = (word: string): void => {
    for (let at = 1; at < word.length; at += 1) {
      const [letter = "", value] = [word[at], word.slice(at + 1)];
      const [name, rawName] = [longs.get(letter) ?? letter, `-${letter}`];
      if (value === "" || !takesValue(name)) option(name, rawName);
      else return void words.push({ kind: "option", name, rawName, value, isInline: true });
    }
  };
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const equals = word.indexOf("=", 3);
    if (word === "--") words.push(...left.splice(0).map((value) => ({ kind: "positional", value }) as const));
    else if (!word.startsWith("-") || word === "-") words.push({ kind: "positional", value: word });
    else if (word.startsWith("--") && equals > 0) {
      const name = word.slice(2, equals);
      words.push({ kind: "option", name, rawName: `--${name}`, value: word.slice(equals + 1), isInline: true });
    } else if (word.startsWith("--")) option(word.slice(2), word);
    else shorts(word);
  }
  return words;
}
