// Loaded by Node in front of a run (`--import`): counts what the run asks the file system to change, and at a chosen one sends
// itself a signal, or lets it and what follows fail as a disk would. Told what by TOKENSIFT_STRIKE, as JSON:
//
//     { count: FILE }                                    writes the count when the process ends
//     { operation: N, signal, half }                     at the N-th, a write half done
//     { operation: N, code: "ENOSPC", lasting }          the N-th fails that can fail so, and all after it
import fs from "node:fs";
import { constants } from "node:os";
import { isMainThread } from "node:worker_threads";
import { syncBuiltinESMExports } from "node:module";

const plan = JSON.parse(process.env["TOKENSIFT_STRIKE"] ?? "{}");
const { writeSync, writeFileSync, appendFileSync, readlinkSync } = fs;
const writes = ["write", "writeSync", "writeFile", "writeFileSync", "appendFileSync"];
const making = [...writes, "open", "openSync", "mkdir", "mkdirSync"];
/** What of the file system can fail so. */
const canFail = {
  ENOSPC: making,
  EDQUOT: making,
  EFBIG: writes,
  EIO: [...writes, "sync", "fsyncSync", "open", "openSync", "rename", "renameSync"],
  EROFS: undefined, // everything
};
let done = 0;
let failing = false;

/** @param half does half of a write */
function strike(name, target, half) {
  const number = ++done;
  if (plan.operation === undefined || number < plan.operation) return;
  if (plan.signal !== undefined && number === plan.operation) {
    const killed = plan.half && plan.signal === "SIGKILL"; // after another signal all of it is done
    if (killed) half?.();
    say(
      `${plan.signal}${killed && half ? " in the middle of" : " before"} operation ${number}, ${name} ${shown(target)}`,
    );
    process.kill(process.pid, plan.signal);
    if (plan.twice) process.kill(process.pid, plan.signal);
  }
  if (plan.code === undefined || (failing && !plan.lasting)) return;
  const able = canFail[plan.code];
  if (able !== undefined && !able.includes(name)) return;
  if (!failing) say(`${plan.code} from operation ${number} on, ${name} ${shown(target)}`);
  failing = true;
  const error = new Error(`${plan.code}: as a disk would, ${name}`);
  throw Object.assign(error, {
    code: plan.code,
    errno: -constants.errno[plan.code],
    syscall: name.replace("Sync", ""),
  });
}

function say(text) {
  try {
    writeSync(2, `\nstrike: ${text}\n`);
  } catch {
    // nobody listens
  }
}

function shown(target) {
  try {
    const path = typeof target === "number" ? readlinkSync(`/proc/self/fd/${target}`) : String(target);
    return path.split("/").slice(-2).join("/");
  } catch {
    return "";
  }
}

const halfOf = (content) => {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return bytes.subarray(0, Math.floor(bytes.length / 2));
};

/** What is done of a call when half of it is; undefined where that is nothing. */
const halves = {
  writeSync: (descriptor, bytes, at = 0, length = bytes.length - at) =>
    writeSync(descriptor, bytes, at, Math.floor(length / 2)),
  writeFileSync: (file, content) => writeFileSync(file, halfOf(content)),
  appendFileSync: (file, content) => appendFileSync(file, halfOf(content)),
};

function watchAll() {
  const always = [
    "rmSync",
    "rmdirSync",
    "renameSync",
    "mkdirSync",
    "fsyncSync",
    "ftruncateSync",
    ...Object.keys(halves),
  ];
  for (const name of always) {
    const own = fs[name];
    fs[name] = (...values) => {
      strike(name, values[0], halves[name] && (() => halves[name](...values)));
      return own(...values);
    };
  }
  const { openSync } = fs;
  fs.openSync = (path, flags, mode) => {
    if (makes(flags)) strike("openSync", path);
    return openSync(path, flags, mode);
  };
  for (const name of ["rm", "rmdir", "rename", "mkdir", "writeFile"]) {
    const own = fs.promises[name];
    fs.promises[name] = async (...values) => {
      strike(name, values[0]);
      return own(...values);
    };
  }
  const { open } = fs.promises;
  fs.promises.open = async (path, flags = "r", mode) => {
    if (makes(flags)) strike("open", path);
    return watchedHandle(await open(path, flags, mode));
  };
  syncBuiltinESMExports();
}

const makes = (flags) => typeof flags === "string" && /^[wax]/.test(flags);

function watchedHandle(handle) {
  for (const name of ["write", "sync", "truncate"]) {
    const own = handle[name].bind(handle);
    const half = (bytes, at = 0, length = bytes.length - at) =>
      void writeSync(handle.fd, bytes, at, Math.floor(length / 2));
    handle[name] = async (...values) => {
      strike(name, handle.fd, name === "write" ? () => half(...values) : undefined);
      return own(...values);
    };
  }
  return handle;
}

if (isMainThread) {
  watchAll();
  if (plan.count !== undefined) process.on("exit", () => writeFileSync(plan.count, String(done)));
}
