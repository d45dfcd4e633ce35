import { type ScoredRow, tokenPicture, type PicturedToken } from "../../token-picture.ts";
import { keptOf, marksOf } from "../../token-picture-words.ts";
import { formatShare } from "../../format.ts";
import { type ExploredContext, type ExploredRow, type Options, rulesFor, turnable, weighExplored } from "../weigh.ts";

/** What the page holds for this script. */
interface Data {
  readonly rule: string;
  readonly options: Options;
  readonly context: ExploredContext;
  readonly rows: readonly (ScoredRow & ExploredRow)[];
  /** How the pictures were cut. */
  readonly picture: { readonly mostTokens: number };
}

const signalNames: Readonly<Record<string, string>> = {
  nll: "loss now",
  historyNll: "loss before",
  referenceNll: "loss of the reference",
  promptAttention: "attention on the prompt",
  entropy: "entropy",
  entropyTop20: "entropy of the top 20",
  concentration: "concentration",
};

const form = document.getElementById("explorer")!;
const details = document.getElementById("explorer-token")!;
const summary = document.getElementById("explorer-summary")!;
const data = JSON.parse(document.getElementById("explorer-data")!.textContent) as Data;
const scale = document.querySelector(".legend .scale");
const figures = [...document.querySelectorAll<HTMLElement>("figure[data-row]")];
const spansOf = new Map(figures.map((figure) => [figure, [...figure.querySelectorAll<HTMLElement>(".tokens > span")]]));
const contents = new Map<HTMLElement, DocumentFragment>();
const shown = new Map<HTMLElement, { row: number; token: number; picture: PicturedToken }>();
/** Rows as the form says. */
let current: readonly ScoredRow[] = data.rows;

for (const span of [...spansOf.values()].flat()) {
  const content = document.createDocumentFragment();
  const inner = span.querySelector(":scope u > s, :scope > u, :scope > s") ?? span;
  content.append(...(inner.querySelector(":scope > s") ?? inner).cloneNode(true).childNodes);
  contents.set(span, content);
  span.removeAttribute("title");
}

const entries = rulesFor(data.rows);
const field = (label: string, control: HTMLElement, after?: HTMLElement): HTMLLabelElement => {
  const element = document.createElement("label");
  element.append(label, " ", control, ...(after ? [" ", after] : []));
  return element;
};

function choice(names: readonly string[], value: string, onChange: (value: string) => void): HTMLSelectElement {
  const select = document.createElement("select");
  select.append(...names.map((name) => new Option(name, name, false, name === value)));
  select.addEventListener("change", () => onChange(select.value));
  return select;
}

let rule = data.rule;
let options: Record<string, unknown> = { ...data.options };
const controls = document.createElement("span");
controls.className = "controls";
const rulePicker = choice(
  entries.map(({ name }) => name),
  rule,
  (name) => {
    rule = name;
    const kept = Object.entries(options).filter(([key]) => ["ratio", "order"].includes(key));
    options = name === data.rule ? { ...data.options } : {};
    const known = entries.find((entry) => entry.name === name)!.options;
    for (const [key, value] of kept) if (key in known) options[key] = value;
    build();
    weigh();
  },
);
const reset = document.createElement("button");
reset.type = "button";
reset.textContent = "As the run";
reset.addEventListener("click", () => {
  [rule, options] = [data.rule, { ...data.options }];
  rulePicker.value = rule;
  build();
  weigh();
});
form.append(field("Rule", rulePicker), controls, reset);

/** Controls of the rule's options. */
function build(): void {
  const entry = entries.find(({ name }) => name === rule);
  controls.replaceChildren(
    ...(entry === undefined ? [] : turnable(entry)).map(({ name, schema }) => {
      const value = options[name] ?? schema["default"] ?? entry!.presets?.recommended?.[name as never];
      if (Array.isArray(schema["enum"]))
        return field(
          name,
          choice(schema["enum"] as string[], String(value ?? schema["enum"][0]), (chosen) => {
            options[name] = chosen;
            weigh();
          }),
        );
      const slider = document.createElement("input");
      Object.assign(slider, { type: "range", min: name === "ratio" ? "0.01" : "0", max: "1", step: "0.01" });
      slider.value = String(value ?? 0.5);
      const number = document.createElement("output");
      number.textContent = slider.value;
      slider.addEventListener("input", () => {
        number.textContent = slider.value;
        options[name] = Number(slider.value);
        weigh();
      });
      slider.name = name;
      return field(name, slider, number);
    }),
  );
}

const asRun = (): boolean => rule === data.rule && JSON.stringify(options) === JSON.stringify(data.options);

/** Weighs all rows as the form says, and redraws what has changed. */
function weigh(): void {
  if (asRun()) current = data.rows;
  else {
    try {
      const weighed = weighExplored(data.rows, rule, options, data.context);
      current = data.rows.map((row, i) => ({ ...row, ...weighed[i]! }));
    } catch (error) {
      summary.textContent = (error as Error).message;
      return;
    }
  }
  if (scale?.firstChild) scale.firstChild.nodeValue = `${current[0]?.scoreName ?? "score"}: low `;
  let [response, kept, noise, noiseDropped, dropped] = [0, 0, 0, 0, 0];
  for (const figure of figures) {
    const row = Number(figure.dataset["row"]);
    const picture = tokenPicture(current[row]!, { ...data.picture, longestPiece: 40 });
    spansOf.get(figure)!.forEach((span, i) => draw(span, picture.tokens[i]!, row, picture.before + i));
    response += picture.response;
    kept += picture.kept;
    noise += picture.noise?.tokens ?? 0;
    noiseDropped += picture.noise?.dropped ?? 0;
    dropped += picture.response - picture.kept;
    figure.querySelector("figcaption")!.textContent = keptOf(picture);
  }
  const found =
    noise > 0 && dropped > 0
      ? `; ${noiseDropped} of ${noise} noise tokens dropped, ${formatShare(noiseDropped / dropped)} of what is dropped is noise`
      : "";
  summary.textContent =
    `${asRun() ? "As the run: " : ""}${rule} keeps ${kept} of ${response} response tokens` +
    `${response > 0 ? ` (${formatShare(kept / response)})` : ""}${found}.`;
  if (document.activeElement instanceof HTMLElement && shown.has(document.activeElement)) tell(document.activeElement);
}

function draw(span: HTMLElement, picture: PicturedToken, row: number, token: number): void {
  shown.set(span, { row, token, picture });
  const { state, noise } = picture;
  const name = marksOf(picture);
  if (span.className === name) return;
  span.className = name;
  let inner: Node = contents.get(span)!.cloneNode(true);
  for (const tag of [...(state === "dropped" ? ["s"] : []), ...(noise ? ["u"] : [])]) {
    const around = document.createElement(tag);
    around.append(inner);
    inner = around;
  }
  span.replaceChildren(inner);
}

/** The numbers of a token, in words. */
function wordsOf(span: HTMLElement): string[] {
  const { row, token, picture } = shown.get(span)!;
  const number = (value: number | null | undefined): string =>
    value === null || value === undefined || !Number.isFinite(value) ? "none" : String(Number(value.toPrecision(6)));
  const text = picture.parts.map((part) => part.text).join("");
  if (picture.state === "prompt") return [`"${text}"`, `token ${token}`, "prompt"];
  const signals = Object.entries(data.rows[row]!.signals).map(
    ([name, values]) => `${signalNames[name] ?? name} ${number(values?.[token])}`,
  );
  return [`"${text}"`, ...picture.title.split("; "), ...signals];
}

function tell(span: HTMLElement): void {
  const items = wordsOf(span).map((words) => {
    const item = document.createElement("span");
    item.textContent = words;
    return item;
  });
  details.replaceChildren(...items);
}

for (const figure of figures) {
  const spans = spansOf.get(figure)!;
  const box = figure.querySelector<HTMLElement>(".tokens")!;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `Tokens of row ${data.rows[Number(figure.dataset["row"])]!.rowId}; arrow keys move`);
  for (const span of spans) span.tabIndex = -1;
  const first = Math.max(
    0,
    spans.findIndex((span) => !span.classList.contains("p")),
  );
  if (spans[first]) spans[first].tabIndex = 0;
  const spanAt = (target: EventTarget | null): HTMLElement | null =>
    target instanceof Element ? target.closest<HTMLElement>(".tokens > span") : null;
  box.addEventListener("mouseover", ({ target }) => {
    const span = spanAt(target);
    if (span) tell(span);
  });
  box.addEventListener("focusin", ({ target }) => {
    const span = spanAt(target);
    if (!span) return;
    span.setAttribute("role", "img");
    span.setAttribute("aria-label", wordsOf(span).join(", "));
    tell(span);
  });
  box.addEventListener("keydown", (event) => {
    const span = spanAt(event.target);
    const at = span === null ? -1 : spans.indexOf(span);
    const moves: Record<string, number> = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: spans.length - 1 };
    const to = moves[event.key];
    if (at < 0 || to === undefined || spans[to] === undefined) return;
    event.preventDefault();
    spans[at]!.tabIndex = -1;
    spans[to].tabIndex = 0;
    spans[to].focus();
  });
}

build();
weigh();
form.hidden = false;
details.hidden = false;
summary.hidden = false;
