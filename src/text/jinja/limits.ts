const largestValue = 8_000_000; // characters and items

/** Why a template was stopped. */
export class TemplateTooCostly extends Error {}

/** @throws TemplateTooCostly before a value of that many characters or items is made */
export function checkSize(size: number): void {
  if (size > largestValue) throw new TemplateTooCostly("a value in it grows too large");
}
