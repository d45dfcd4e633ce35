/**
 * Specs of TensorFlow.js that its authors switched off, each with the reason. Groups of specs that only a browser can
 * run (canvas, local storage, downloads) are not registered at all and do not count.
 */
export const switchedOff: Readonly<Record<string, string>> = {
  "debug on A x B": "switched off without a word on why",
  "IS_BROWSER isBrowser: true": "about detecting the platform, not about an operation",
  "IS_BROWSER isBrowser: false": "about detecting the platform, not about an operation",
  "kernel_registry errors when registering the same kernel twice":
    "the registry warns instead, as packages may be loaded twice",
  "gradient registry warning when registering the same gradient twice": "about the registry, not about an operation",
};

/** Kernels of TensorFlow.js that no spec calls, each with the reason. */
export const unspecified: Readonly<Record<string, string>> = {
  Draw: "its specs draw on a canvas, which only a browser has",
  RotateWithOffset: "its specs are for browsers only",
};
