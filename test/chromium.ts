import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** Where Chromium is: what `CHROMIUM` names, or one of the usual names; undefined where there is none. */
export const chromium: string | undefined = ["chromium", "chromium-browser", "google-chrome"].reduce<
  string | undefined
>((found, name) => found ?? which(name), process.env["CHROMIUM"]);

function which(name: string): string | undefined {
  try {
    return execFileSync("which", [name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

/** A page in a headless browser. */
export interface BrowserPage {
  open(url: string): Promise<void>;
  /** The value of an expression in the page; a promise is awaited. */
  evaluate<T>(expression: string): Promise<T>;
  /** Presses a key by its name (`ArrowLeft`) so many times. */
  press(key: string, times?: number): Promise<void>;
  mouse(type: "mouseMoved" | "mousePressed" | "mouseReleased", x: number, y: number): Promise<void>;
  size(width: number, height: number): Promise<void>;
  media(features: Record<string, string>, type?: "print" | "screen"): Promise<void>;
  /** A PNG of the section under this title, at most so high. */
  picture(title: string, height: number): Promise<Buffer>;
  /** Errors of scripts and refusals of policies so far. */
  readonly complaints: readonly string[];
}

/** Runs `use` with a page of its own, by the DevTools protocol over a pipe. */
export async function inChromium(use: (page: BrowserPage) => Promise<void>): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), "tokensift-chromium-"));
  const flags = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--remote-debugging-pipe",
    `--user-data-dir=${profile}`,
  ];
  const browser = spawn(chromium!, flags, {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    detached: true, // a group of its own
  });
  const ended = new Promise<void>((done) => browser.once("exit", () => done()));
  const [toBrowser, fromBrowser] = [browser.stdio[3] as Writable, browser.stdio[4] as Readable];
  const waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();
  const complaints: string[] = [];
  const onEvent = new Map<string, () => void>();
  let rest = "";
  fromBrowser.setEncoding("utf8").on("data", (text: string) => {
    const messages = (rest + text).split("\0");
    rest = messages.pop()!;
    for (const message of messages) hear(JSON.parse(message) as Message);
  });
  interface Message {
    id?: number;
    method?: string;
    result?: object;
    error?: { message: string };
    params?: { exceptionDetails?: { text: string }; entry?: { level: string; text: string } };
  }
  function hear({ id, method, result, error, params }: Message): void {
    if (id !== undefined) {
      const { resolve, reject } = waiting.get(id)!;
      waiting.delete(id);
      if (error) reject(new Error(error.message));
      else resolve(result as never);
    }
    if (method === "Runtime.exceptionThrown") complaints.push(JSON.stringify(params));
    if (method === "Log.entryAdded" && params!.entry!.level === "error") complaints.push(params!.entry!.text);
    if (method !== undefined) onEvent.get(method)?.();
  }
  let ids = 0;
  let sessionId: string | undefined;
  const send = <T>(method: string, params: object = {}): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++ids;
      waiting.set(id, { resolve, reject });
      toBrowser.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  try {
    const { targetId } = await send<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
    ({ sessionId } = await send<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true }));
    for (const domain of ["Page", "Runtime", "Log"]) await send(`${domain}.enable`);
    await use({
      complaints,
      async open(url) {
        const loaded = new Promise<void>((done) => onEvent.set("Page.loadEventFired", done));
        await send("Page.navigate", { url });
        await loaded;
      },
      async evaluate<T>(expression: string) {
        const { result, exceptionDetails } = await send<{ result: { value: T }; exceptionDetails?: object }>(
          "Runtime.evaluate",
          { expression, returnByValue: true, awaitPromise: true },
        );
        if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
        return result.value;
      },
      async press(key, times = 1) {
        const codes: Record<string, number> = { ArrowLeft: 37, ArrowRight: 39, Home: 36, End: 35, Tab: 9 };
        const event = { key, code: key, windowsVirtualKeyCode: codes[key] };
        for (let i = 0; i < times; i++)
          for (const type of ["keyDown", "keyUp"]) await send("Input.dispatchKeyEvent", { type, ...event });
      },
      async mouse(type, x, y) {
        const held = { button: "left", buttons: 1, clickCount: 1 };
        await send("Input.dispatchMouseEvent", { type, x, y, ...held });
      },
      async picture(title, height) {
        const clip = await this.evaluate<object>(
          `(() => { const section = [...document.querySelectorAll("section")].find((part) => part.querySelector("h2").textContent.trim() === ${JSON.stringify(title)}); const { x, y, width, height } = section.getBoundingClientRect(); return { x: x + scrollX, y: y + scrollY, width, height: Math.min(height, ${height}), scale: 1 }; })()`,
        );
        const options = { format: "png", captureBeyondViewport: true, clip };
        const { data } = await send<{ data: string }>("Page.captureScreenshot", options);
        return Buffer.from(data, "base64");
      },
      size: (width, height) =>
        send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false }),
      media: (features, type) =>
        send("Emulation.setEmulatedMedia", {
          media: type ?? "",
          features: Object.entries(features).map(([name, value]) => ({ name, value })),
        }),
    });
  } finally {
    process.kill(-browser.pid!, "SIGKILL"); // with its children, which write to the profile
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
