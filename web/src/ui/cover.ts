/** Art for releases that have no cover: drawn from the id, so that it is the same everywhere and for ever. */

export interface Shape {
  d: string
  fill: string
}

export interface Artwork {
  background: string
  shapes: Shape[]
  /** The colour that stands for the whole picture, for tints around it. */
  tint: string
}

/** Ground, then three colours on it. */
type Palette = readonly [string, string, string, string]

const PALETTES: readonly Palette[] = [
  ['#2b1b3d', '#ff6b4a', '#ffb26b', '#7b4bd1'],
  ['#0f2f3a', '#f4c95d', '#ef6f6c', '#2f8f9d'],
  ['#3a1420', '#ff8fa3', '#ffd6a5', '#b3305a'],
  ['#12263f', '#6ec1ff', '#f7f0d4', '#2c5fd4'],
  ['#1d3326', '#9fe870', '#f2e8a0', '#2e8b57'],
  ['#f0e2cf', '#e4572e', '#29335c', '#f3a712'],
  ['#26203f', '#c792ff', '#ff9ecb', '#5b45c9'],
  ['#e9d8e8', '#7d3c98', '#ff7d6b', '#2d1e4f'],
  ['#10312f', '#3fd0b6', '#ffdf7e', '#12705f'],
  ['#381f14', '#ff9f43', '#ffe0b3', '#b5482a'],
  ['#dfe8ea', '#1f6f8b', '#ff6b4a', '#0f2b3d'],
  ['#1a1a2e', '#e94560', '#f6d365', '#3a3f8f'],
]

/** A small generator of numbers from 0 to 1, the same for the same text (FNV-1a, then mulberry32). */
function numbersOf(text: string): () => number {
  let seed = 2166136261
  for (const letter of text) seed = Math.imul(seed ^ letter.charCodeAt(0), 16777619)
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Random = () => number
type Motif = (random: Random, colours: readonly string[]) => Shape[]

const SIZE = 120
const circle = (x: number, y: number, r: number): string =>
  `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`
const pick = (random: Random, colours: readonly string[]): string => colours[Math.floor(random() * colours.length)]!

/** Rings around a sun at an edge of the picture. */
const sun: Motif = (random, colours) => {
  const x = 20 + random() * 80
  const y = random() < 0.5 ? SIZE : 78
  return [92, 72, 53, 35, 18].map((r, i) => ({ d: circle(x, y, r), fill: colours[i % colours.length]! }))
}

/** Hills, one before the other, under a moon. */
const waves: Motif = (random, colours) => {
  const moon = { d: circle(26 + random() * 68, 30 + random() * 12, 13 + random() * 7), fill: colours[1]! }
  const hills = [46, 66, 86, 104].map((y, i) => {
    const swing = 10 + random() * 12
    const flip = random() < 0.5 ? 1 : -1
    const d = `M0 ${y}q30 ${-swing * flip} 60 0t60 0V${SIZE}H0z`
    return { d, fill: colours[(i + 2) % colours.length]! }
  })
  return [moon, ...hills]
}

/** Quarter circles in a grid. */
const tiles: Motif = (random, colours) => {
  const cell = 30
  const turns = [
    (x: number, y: number) => `M${x} ${y}h${cell}a${cell} ${cell} 0 0 1 ${-cell} ${cell}z`,
    (x: number, y: number) => `M${x + cell} ${y}v${cell}a${cell} ${cell} 0 0 1 ${-cell} ${-cell}z`,
    (x: number, y: number) => `M${x + cell} ${y + cell}h${-cell}a${cell} ${cell} 0 0 1 ${cell} ${-cell}z`,
    (x: number, y: number) => `M${x} ${y + cell}v${-cell}a${cell} ${cell} 0 0 1 ${cell} ${cell}z`,
    (x: number, y: number) => circle(x + cell / 2, y + cell / 2, cell / 2.6),
  ]
  return Array.from({ length: 16 }, (_, i) => {
    const draw = turns[Math.floor(random() * turns.length)]!
    return { d: draw((i % 4) * cell, Math.floor(i / 4) * cell), fill: pick(random, colours) }
  })
}

/** Bars of a sound, standing. */
const bars: Motif = (random, colours) => {
  const width = 8
  return Array.from({ length: 8 }, (_, i) => {
    const half = 10 + random() * 40
    const x = 8 + i * 13.7
    const r = width / 2
    const d = `M${x} ${60 - half}a${r} ${r} 0 0 1 ${width} 0v${2 * half}a${r} ${r} 0 0 1 ${-width} 0z`
    return { d, fill: colours[i % 3 === 2 ? 1 : i % 2 ? 2 : 0]! }
  })
}

/** Bands across, from corner to corner. */
const bands: Motif = (random, colours) => {
  const mirrored = random() < 0.5
  return Array.from({ length: 6 }, (_, i) => {
    const from = -70 + i * 36 + random() * 8
    const wide = 10 + random() * 16
    const [top, bottom] = mirrored ? [from + 70, from] : [from, from + 70]
    return { d: `M${top} 0h${wide}L${bottom + wide} ${SIZE}h${-wide}z`, fill: colours[i % colours.length]! }
  })
}

/** A record, cut by half a disc. */
const record: Motif = (random, colours) => {
  const x = 45 + random() * 30
  const disc = [48, 30, 12].map((r, i) => ({ d: circle(x, 60, r), fill: colours[(i * 2) % colours.length]! }))
  const right = random() < 0.5
  const cut = { d: `M${x} 12a48 48 0 0 ${right ? 1 : 0} 0 96z`, fill: colours[1]! }
  return [disc[0]!, cut, ...disc.slice(1)]
}

const MOTIFS: readonly Motif[] = [sun, waves, tiles, bars, bands, record]

/** Draws the picture of a resource in a square of 120 by 120. */
export function artworkOf(name: string): Artwork {
  const random = numbersOf(name)
  const [background, ...colours] = pickPalette(random)
  const motif = MOTIFS[Math.floor(random() * MOTIFS.length)]!
  return { background, shapes: motif(random, colours), tint: colours[0] }
}

function pickPalette(random: Random): Palette {
  return PALETTES[Math.floor(random() * PALETTES.length)]!
}

/** The letters that stand for a name: the first of its first and of its last word. */
export function initials(displayName: string): string {
  const words = displayName.trim().split(/\s+/)
  const letters = [words[0], words.length > 1 ? words.at(-1) : ''].map((word) => [...(word ?? '')][0] ?? '')
  return letters.join('').toLocaleUpperCase()
}
