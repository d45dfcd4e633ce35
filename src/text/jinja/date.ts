import { countPass } from "./limits.ts";

const months = "January February March April May June July August September October November December".split(" ");
const days = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** Python's `strftime`, in English. Directives that are not known stay as they are. */
export function strftime(date: Date, format: string): string {
  const pad = (value: number, width = 2): string => String(value).padStart(width, "0");
  const hour = date.getHours();
  const day = Math.round(
    (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 0)) / 86_400_000,
  );
  const written = new Map([
    ["Y", String(date.getFullYear())],
    ["y", pad(date.getFullYear() % 100)],
    ["m", pad(date.getMonth() + 1)],
    ["d", pad(date.getDate())],
    ["e", String(date.getDate()).padStart(2)],
    ["j", pad(day, 3)],
    ["B", months[date.getMonth()]!],
    ["b", months[date.getMonth()]!.slice(0, 3)],
    ["A", days[date.getDay()]!],
    ["a", days[date.getDay()]!.slice(0, 3)],
    ["H", pad(hour)],
    ["I", pad(hour % 12 === 0 ? 12 : hour % 12)],
    ["p", hour < 12 ? "AM" : "PM"],
    ["M", pad(date.getMinutes())],
    ["S", pad(date.getSeconds())],
    ["%", "%"],
  ]);
  countPass(8 * format.length);
  return format.replace(/%(-?)(.)/gs, (directive, plain: string, letter: string) => {
    const value = written.get(letter);
    if (value === undefined) return directive;
    return plain === "-" ? value.replace(/^[0 ]+(?=\d)/, "") : value;
  });
}
