/** Which files are worth sending as a picture; the server judges them by their content. */

export const TYPES: readonly string[] = ['image/png', 'image/jpeg', 'image/webp']
export const LIMIT_BYTES = 10 * 1024 * 1024

/** The reason that speaks against a file before anything is sent; empty when none does. */
export function objection({ type, size }: { type: string; size: number }): string {
  if (!TYPES.includes(type)) return 'UNSUPPORTED_FORMAT'
  return size > LIMIT_BYTES ? 'TOO_LARGE' : ''
}
