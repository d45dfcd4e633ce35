/** Whether a character is in a set: asked once for each of the first 65,536 code points, then looked up. */
export function membership(accepts: (codePoint: number) => boolean): (codePoint: number) => boolean {
  const known = new Uint8Array(0x10000); // 1: is not, 2: is
  return (codePoint) => {
    if (codePoint > 0xffff) return accepts(codePoint);
    return (known[codePoint] ||= accepts(codePoint) ? 2 : 1) === 2;
  };
}

/** The members of a class of a regular expression, such as `\p{N}`. */
export function classMembers(characterClass: string): (codePoint: number) => boolean {
  const pattern = new RegExp(`^${characterClass}$`, "u");
  return membership((codePoint) => pattern.test(String.fromCodePoint(codePoint)));
}

/** The character at a place of a part of a text: half a surrogate pair at the part's end is one by itself. */
export function characterAt(text: string, at: number, to: number): number {
  const unit = text.charCodeAt(at);
  return unit >= 0xd800 && unit < 0xdc00 && at + 1 < to ? text.codePointAt(at)! : unit;
}
