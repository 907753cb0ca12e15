/** Numbers the associations of this process, asked and answered alike, so that a log and a sink can tell them apart. */

let last = 0

export function nextAssociationId (): number {
  return ++last
}
