/** An entry of a catalogue and its options, as a configuration names them. */
export interface MethodChoice {
  /** The entry's name, or the path of a module of the user's own. */
  method: string;
  [option: string]: unknown;
}

/** `./mine.ts`, `rules/mine.js`: a module of the user's own rather than an entry by its name. */
export function isModulePath(text: string): boolean {
  return /\.[mc]?[jt]s$/.test(text);
}

/** What a run, a row or a file is called after a method: its name, or that of its file without folder and ending. */
export function methodLabel(method: string): string {
  const file = method.split(/[/\\]/).at(-1)!;
  return isModulePath(file) ? file.slice(0, file.lastIndexOf(".")) : file;
}
