import { html, trusted } from "../html.ts";

const style = `
:root{color-scheme:light dark;font:14px/1.5 system-ui,sans-serif}
body{margin:0;height:100vh;display:flex;flex-direction:column}
header{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;padding:.4rem 1rem;border-bottom:1px solid color-mix(in srgb,currentColor 25%,transparent)}
header b{font-weight:600}
button{font:inherit}
ul{display:contents;list-style:none}
li{font-variant-numeric:tabular-nums}
iframe{flex:1;border:0;width:100%}
p{margin:2rem 1rem}
[hidden]{display:none}`;

/** Runs in the reader's browser: shows each state that the server tells of, and loads the page anew where it changed. */
const script = `
const [list, frame, wait, link, fresh] = ["arms", "page", "wait", "link", "fresh"].map((id) => document.getElementById(id));
let [shown, newest] = [null, null];
const inUse = () => shown !== null && !!frame.contentDocument?.activeElement?.closest("#explorer, .tokens");
function load(page) {
  newest = page;
  fresh.hidden = page === null || page === shown;
  if (!fresh.hidden && !inUse()) replace(page);
}
function replace(page) {
  const before = shown === null ? 0 : frame.contentWindow.scrollY;
  shown = page;
  fresh.hidden = true;
  frame.hidden = false;
  wait.hidden = true;
  frame.addEventListener("load", () => frame.contentWindow.scrollTo(0, before), { once: true });
  frame.contentWindow.location.replace("/report.html");
}
fresh.onclick = () => replace(newest);
const number = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits });
const events = new EventSource("/events");
events.onmessage = ({ data }) => {
  const { page, arms } = JSON.parse(data);
  list.replaceChildren(...arms.map(({ name, step, loss, tokensPerSecond }) => {
    const item = document.createElement("li");
    const parts = ["step " + number(step, 0)];
    if (loss !== null) parts.push("loss " + number(loss, 4));
    if (tokensPerSecond !== null) parts.push(number(tokensPerSecond, 0) + " tokens/s");
    item.textContent = name + ": " + parts.join(", ");
    return item;
  }));
  load(page);
};
events.onopen = () => (link.textContent = "live");
events.onerror = () => (link.textContent = "no longer connected");`;

/** The page around a run's page, that listens. */
export function shellPage(run: string, nonce: string): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <link rel="icon" href="data:," />
        <title>${run}</title>
        <style nonce="${nonce}">
          ${trusted(style)}
        </style>
      </head>
      <body>
        <header aria-live="off">
          <b>${run}</b> <span id="link" role="status">connecting</span>
          <ul id="arms"></ul>
          <button id="fresh" type="button" hidden>Load the page anew</button>
        </header>
        <p id="wait">There is no page yet: the run writes it at its first evaluation.</p>
        <iframe id="page" title="The run's report" hidden></iframe>
        <script nonce="${nonce}">
          ${trusted(script)};
        </script>
      </body>
    </html> `.markup;
}
