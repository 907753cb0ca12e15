/** Makes something at its first use, and the same for all who ask. */
export function lazily<T> (make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return async () => await (made ??= make())
}
