import { characterAt } from "./membership.ts";

/** Adds where a part of a text is cut into words: start, end, start, end, … */
export type CutWords = (text: string, from: number, to: number, places: number[]) => void;

/** Where a pattern matches a text: start, end, start, end, … as `text.matchAll` finds them. */
export interface FindAll {
  (text: string): readonly number[];
  /** Of a pattern whose matches cover every text: cuts a part of one, as the pattern would if there were nothing else. */
  readonly cut?: CutWords;
  /** Of a pattern that matches one character: which. */
  readonly isMember?: (codePoint: number) => boolean;
}

/** A pattern of which each match is a character of a set. */
export function findMembers(isMember: (codePoint: number) => boolean): FindAll {
  const find = (text: string): number[] => {
    const places: number[] = [];
    for (let at = 0; at < text.length;) {
      const codePoint = characterAt(text, at, text.length);
      const end = at + (codePoint > 0xffff ? 2 : 1);
      if (isMember(codePoint)) places.push(at, end);
      at = end;
    }
    return places;
  };
  return Object.assign(find, { isMember });
}

/** Cuts at the characters of a set, which are left out or are words of their own. */
export function cutAtMembers(isMember: (codePoint: number) => boolean, isKept: boolean): CutWords {
  return (text, from, to, places) => {
    let start = from;
    for (let at = from; at < to;) {
      const codePoint = characterAt(text, at, to);
      const end = at + (codePoint > 0xffff ? 2 : 1);
      if (isMember(codePoint)) {
        if (at > start) places.push(start, at);
        if (isKept) places.push(at, end);
        start = end;
      }
      at = end;
    }
    if (to > start) places.push(start, to);
  };
}
