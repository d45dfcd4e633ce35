/** Changes a text before it is cut. */
export type Normalizer = (text: string) => string;
