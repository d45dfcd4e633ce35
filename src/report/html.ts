/** Text that is HTML already. Only `html` and `trusted` make it, so whatever else is put into a page is escaped. */
export interface Html {
  readonly markup: string;
}

/** What a template can hold. Text and numbers are escaped, HTML and lists of it stand as they are. */
export type Content = Html | string | number | undefined | readonly Content[];

/** A piece of HTML: `` html`<b>${anyText}</b>` `` escapes `anyText`, in elements and in quoted attributes alike. */
export function html(parts: TemplateStringsArray, ...values: Content[]): Html {
  return { markup: parts.map((part, i) => part + (i < values.length ? markupOf(values[i]) : "")).join("") };
}

/** Markup that this library made itself, for example a plot. */
export function trusted(markup: string): Html {
  return { markup };
}

/** Text with the five characters that mean something in HTML replaced. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function markupOf(value: Content): string {
  if (value === undefined) return "";
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return String(value);
  return "markup" in value ? value.markup : value.map(markupOf).join("");
}
