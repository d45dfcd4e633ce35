/**
 * Something outside that a run depends on is gone, such as a server. Nothing is wrong with what was asked: the same command
 * goes on where it stopped, once that is back. The command line prints `message` alone and exits with code 1.
 */
export class Outage extends Error {
  override readonly name = "Outage";
}
