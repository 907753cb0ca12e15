/**
 * How Node is started for the service: flags that can't be set once it runs.
 */

/**
 * - A young generation of 2 MB: what an association or an answer allocates is short-lived views of
 *   large buffers, and V8's default lets 30 to 60 MB of them pile up before it looks.
 * - An old generation that is bounded: memory beyond this is a leak, better ended than shared.
 */
export const NODE_FLAGS = ['--max-semi-space-size=2', '--max-old-space-size=192'] as const
