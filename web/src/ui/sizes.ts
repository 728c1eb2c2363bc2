/** Pictures come in several sizes; the browser takes the one that fits. */

const SIZES = [64, 300, 640, 1500]
const SIZED = /\/\d+\.webp$/

/** The sizes of a picture of the platform, for `srcset`; undefined for any other. */
export function sizesOf(uri: string): string | undefined {
  if (!SIZED.test(uri)) return undefined
  return SIZES.map((size) => `${uri.replace(SIZED, `/${size}.webp`)} ${size}w`).join(', ')
}

/** As wide as it is shown; 300 pixels where the browser cannot tell yet. */
export const SHOWN_WIDTH = 'auto, 300px'
