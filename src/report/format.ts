/** How numbers read in progress lines and reports. What is not a finite number reads "–". */
const absent = "–";
const minus = "−";

/** Whole numbers in groups of three (12,345), others with `digits` significant digits: 1.234, 0.01234, 56.78. */
export function formatNumber(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || Number.isNaN(value)) return absent;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${minus}∞`;
  const size = Math.abs(value);
  const sign = value < 0 ? minus : "";
  if (Number.isInteger(value) && size < 1e15) return sign + grouped(size.toFixed(0));
  if (size >= 1e9 || size < 1e-4) return sign + size.toExponential(2).replace("e-", `e${minus}`).replace("e+", "e");
  const decimals = Math.max(0, digits - Math.max(1, Math.floor(Math.log10(size)) + 1));
  const text = size.toFixed(size < 0.1 ? decimals + 1 : decimals);
  return sign + (size >= 1000 ? grouped(text) : text);
}

/** The same in ASCII's minus sign, for a terminal, where numbers are searched for and copied. */
export function terminalNumber(value: number | null | undefined, digits?: number): string {
  return formatNumber(value, digits).replaceAll(minus, "-");
}

function grouped(text: string): string {
  const [whole, rest] = text.split(".");
  const groups = whole!.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? groups : `${groups}.${rest}`;
}

/** A number with `decimals` places, for a column whose points stand below each other. */
export function formatFixed(value: number | null | undefined, decimals: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return formatNumber(value);
  if (Math.abs(value) >= 1e6) return formatNumber(value);
  const text = grouped(Math.abs(value).toFixed(decimals));
  return value < 0 && /[1-9]/.test(text) ? minus + text : text;
}

/** The same with its sign always shown: +0.012, −0.300, 0.000. */
export function formatDifference(value: number | null | undefined, decimals: number): string {
  const text = formatFixed(value, decimals);
  return typeof value === "number" && value > 0 && /[1-9∞]/.test(text) ? `+${text}` : text;
}

/** A share of 1 in per cent: 0.6 is "60 %", 0.1234 with one decimal "12.3 %". */
export function formatShare(share: number | null | undefined, decimals = 0): string {
  return share === null || share === undefined || !Number.isFinite(share)
    ? absent
    : `${formatFixed(100 * share, decimals)} %`;
}

/** Seconds in the two largest units that matter: 0.4 s, 42 s, 3 min 05 s, 2 h 07 min, 4 d 03 h. */
export function formatDuration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return absent;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const pair = (large: number, unit: string, small: number, smaller: string) =>
    `${large} ${unit} ${String(small).padStart(2, "0")} ${smaller}`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(Math.floor(whole / 60), "min", whole % 60, "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return pair(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(seconds / 3600);
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}
