/** Thrown out of a training loop by a request to stop, when the state is safe on disk. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}
