/** Says in two words what a User-Agent is. */

const BROWSERS: readonly [string, RegExp][] = [
  ['Edge', /Edg\//],
  ['Opera', /OPR\//],
  ['Firefox', /Firefox\//],
  ['Chrome', /Chrom(e|ium)\//],
  ['Safari', /Safari\//],
]
const SYSTEMS: readonly [string, RegExp][] = [
  ['Android', /Android/],
  ['iPhone', /iPhone/],
  ['iPad', /iPad/],
  ['Windows', /Windows/],
  ['macOS', /Mac OS X/],
  ['Linux', /Linux/],
]

const firstIn = (kinds: readonly [string, RegExp][], agent: string): string =>
  kinds.find(([, pattern]) => pattern.test(agent))?.[0] ?? ''

/** `Firefox, Linux`; other programs by the first word they send. */
export function deviceName(userAgent: string): string {
  const browser = firstIn(BROWSERS, userAgent)
  if (!browser) return userAgent.split(/[\s/]/)[0] ?? ''
  return [browser, firstIn(SYSTEMS, userAgent)].filter(Boolean).join(', ')
}
