const largestValue = 8_000_000; // characters and items

/** Why a template was stopped. */
export class TemplateTooCostly extends Error {}

let spend: ((steps: number) => void) | undefined;

/** Runs a template; the functions below count against its budget. */
export function spendingFrom<T>(budget: (steps: number) => void, run: () => T): T {
  const before = spend;
  spend = budget;
  try {
    return run();
  } finally {
    spend = before;
  }
}

/** @throws TemplateTooCostly before a value of that many characters or items is made */
export function checkSize(size: number): void {
  if (size > largestValue) throw new TemplateTooCostly("a value in it grows too large");
}

/** The same, of a value inside a filter or a method, which is counted: what the whole gives is counted only then. */
export function countSize(size: number): void {
  checkSize(size);
  spend?.(size / 32);
}

/** Counts a text that a filter or a method goes through, character by character. */
export function countPass(characters: number): void {
  spend?.(characters / 8);
}

/** Counts the search of a text for another, which may compare all of it at every place. */
export function countSearch(text: string, wanted: string): void {
  spend?.(text.length / 64 + (text.length * Math.min(wanted.length, Math.max(0, text.length - wanted.length))) / 1024);
}
