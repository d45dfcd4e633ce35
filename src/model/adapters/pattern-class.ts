/** Refuses a pattern for a reason. */
export type Refuse = (why: string) => never;

type Accepts = (character: string) => boolean;

const families: Readonly<Record<string, RegExp>> = {
  d: /\d/,
  D: /\D/,
  w: /\w/,
  W: /\W/,
  s: /\s/,
  S: /\S/,
};

/** What `\` and this character stand for: a family (`\d`), or a sign itself; Python refuses letters that it does not know. */
export function patternEscape(letter: string, refuse: Refuse): Accepts {
  const family = Object.hasOwn(families, letter) ? families[letter]! : undefined;
  if (family !== undefined) return (character) => family.test(character);
  if (letter === "" || /[A-Za-z0-9]/.test(letter)) refuse(`\\${letter} is not known here`);
  return (character) => character === letter;
}

/** A class of characters, of which `[` has been read; `end` is where the pattern goes on. */
export function patternClass(source: string, start: number, refuse: Refuse): { accepts: Accepts; end: number } {
  let at = start;
  const isNegated = source[at] === "^";
  if (isNegated) at++;
  if (source[at] === "]") refuse(`[${isNegated ? "^" : ""}] begins a class with ], which Python reads otherwise`);
  const items: Accepts[] = [];
  /** One member: a character of its own, which may begin a range, or a family. */
  const member = (): { single?: string; accepts: Accepts } => {
    const character = source[at++] ?? refuse("a ] is missing");
    if (character === "[") refuse("it has [ in a class: write \\[");
    if (character !== "\\") return { single: character, accepts: (other) => other === character };
    const letter = source[at++] ?? "";
    const accepts = patternEscape(letter, refuse);
    return Object.hasOwn(families, letter) ? { accepts } : { single: letter, accepts };
  };
  while (source[at] !== "]") {
    const { single: from, accepts } = member();
    if (source[at] !== "-" || source[at + 1] === "]") items.push(accepts);
    else {
      at++;
      const { single: to } = member();
      if (from === undefined || to === undefined || from > to) return refuse("it has a range that is none in a class");
      items.push((character) => from <= character && character <= to);
    }
  }
  return { accepts: (character) => items.some((accepts) => accepts(character)) !== isNegated, end: at + 1 };
}
