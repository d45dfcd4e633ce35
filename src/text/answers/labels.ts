import type { Form } from "./forms.ts";

const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const monthName =
  "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?";
const monthFirst = new RegExp(`^${monthName} (\\d{1,2})(?:st|nd|rd|th)?(?:,? (\\d{4}))?$`, "i");
const dayFirst = new RegExp(`^(\\d{1,2})(?:st|nd|rd|th)? (?:of )?${monthName},?(?: (\\d{4}))?$`, "i");
const clock = /^(\d{1,2})(?::(\d{2}))?(?::(\d{2}))? ?"? ?(?:([ap])\. ?m\.?|([ap])m)? ?"?$/i;
const based = /^\(?([\dA-Fa-f]+)\)? ?(?:_ ?\{?|"?\bbase ?"?) ?"?(?:base"? )?\(?(\d{1,2}|[a-z]+)\)?"? ?\}?$/;
const bases = new Map(
  Object.entries({
    two: 2,
    three: 3,
    four: 4,
    five: 5,
    six: 6,
    seven: 7,
    eight: 8,
    nine: 9,
    ten: 10,
    twelve: 12,
    sixteen: 16,
  }),
);

/** Times, dates, numbers with their base, and sets with a name: what looks like a number or a product, but is none. */
export function readLabel(text: string): Form | undefined {
  const label = dateOf(text) ?? timeOf(text) ?? numeralOf(text) ?? setOf(text);
  return label === undefined ? undefined : { kind: "label", text: label };
}

function dateOf(text: string): string | undefined {
  const plain = text.replaceAll('"', "").trim();
  const numeric = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(plain);
  if (numeric) return [numeric[1], Number(numeric[2]), Number(numeric[3])].join("-");
  // Which of the two is the month depends on the country.
  if (/^\d{1,2}\/\d{1,2}\/\d{4}$/.test(plain)) return plain;
  const [, month, day, year = ""] = monthFirst.exec(plain) ?? [];
  if (month !== undefined) return `${year}-${monthNumber(month)}-${Number(day)}`;
  const [, date, name, ofYear = ""] = dayFirst.exec(plain) ?? [];
  return name === undefined ? undefined : `${ofYear}-${monthNumber(name)}-${Number(date)}`;
}

function monthNumber(name: string): number {
  return months.indexOf(name.slice(0, 3).toLowerCase()) + 1;
}

/** `5:00 PM` is 17:00; `5:00` is either half of the day, and a ratio unless it ends in zeros. */
function timeOf(text: string): string | undefined {
  const [, hours, minutes = "00", seconds = "", dotted, plain] = clock.exec(text) ?? [];
  const half = (dotted ?? plain)?.toLowerCase();
  if (hours === undefined || Number(hours) > 24 || Number(minutes) > 59) return undefined;
  if (half === undefined) return /:0\d/.test(text) || seconds !== "" ? text.replace(/^0(?=\d)/, "") : undefined;
  const hour = (Number(hours) % 12) + (half === "p" ? 12 : 0);
  return `${hour}:${minutes}${seconds === "" ? "" : `:${seconds}`}${hour < 12 ? " am" : ""}`;
}

function numeralOf(text: string): string | undefined {
  const [, digits, base] = based.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const radix = bases.get(base!) ?? Number(base);
  const isNumeral = radix >= 2 && radix <= 36 && [...digits].every((digit) => parseInt(digit, 36) < radix);
  return isNumeral ? `${digits.toUpperCase().replace(/^0+(?=.)/, "")}_${radix}` : undefined;
}

function setOf(text: string): string | undefined {
  const [, inBraces, bare] = /^\\mathbb ?(?:\{ ?([ZNQC]) ?\}|([ZNQC]))$/.exec(text) ?? [];
  return inBraces ?? bare;
}
