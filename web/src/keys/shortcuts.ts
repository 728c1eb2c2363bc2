/** The keyboard: one table drives the keys and the list that `?` shows. */

export interface Actions {
  toggle(): void
  next(): void
  previous(): void
  skip(seconds: number): void
  mute(): void
  volume(step: number): void
  queue(): void
  help(): void
}

export interface Shortcut {
  /** How the key is written in the list. */
  shown: readonly string[]
  /** A message of the dictionaries. */
  label: `keys.${string}`
  matches(event: KeyboardEvent): boolean
  run(actions: Actions): void
}

/** Letters are told by their place on the keyboard, so that they work in every layout. */
const code =
  (wanted: string) =>
  (event: KeyboardEvent): boolean =>
    event.code === wanted && !event.shiftKey

const shifted =
  (wanted: string) =>
  (event: KeyboardEvent): boolean =>
    event.code === wanted && event.shiftKey

const either =
  (...tests: ((event: KeyboardEvent) => boolean)[]) =>
  (event: KeyboardEvent): boolean =>
    tests.some((test) => test(event))

const SEEK_SECONDS = 10
const VOLUME_STEP = 0.05

export const SHORTCUTS = [
  { shown: ['Space'], label: 'keys.toggle', matches: code('Space'), run: (to) => to.toggle() },
  {
    shown: ['J', '⇧ →'],
    label: 'keys.next',
    matches: either(code('KeyJ'), shifted('ArrowRight')),
    run: (to) => to.next(),
  },
  {
    shown: ['K', '⇧ ←'],
    label: 'keys.previous',
    matches: either(code('KeyK'), shifted('ArrowLeft')),
    run: (to) => to.previous(),
  },
  { shown: ['→'], label: 'keys.forward', matches: code('ArrowRight'), run: (to) => to.skip(SEEK_SECONDS) },
  { shown: ['←'], label: 'keys.back', matches: code('ArrowLeft'), run: (to) => to.skip(-SEEK_SECONDS) },
  { shown: ['⇧ ↑'], label: 'keys.louder', matches: shifted('ArrowUp'), run: (to) => to.volume(VOLUME_STEP) },
  { shown: ['⇧ ↓'], label: 'keys.softer', matches: shifted('ArrowDown'), run: (to) => to.volume(-VOLUME_STEP) },
  { shown: ['M'], label: 'keys.mute', matches: code('KeyM'), run: (to) => to.mute() },
  { shown: ['Q'], label: 'keys.queue', matches: code('KeyQ'), run: (to) => to.queue() },
  { shown: ['?'], label: 'keys.help', matches: (event) => event.key === '?', run: (to) => to.help() },
] as const satisfies readonly Shortcut[]

/** Elements that need the keys themselves. */
const TYPING = 'input, textarea, select, [contenteditable], dialog[open] *'
const PRESSED = 'button, a[href], summary, [role="slider"]'

/** Runs the action of a key, unless somebody types or presses a button with it. */
export function handleKey(event: KeyboardEvent, actions: Actions): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
  const target = event.target instanceof Element ? event.target : null
  if (target?.closest(TYPING)) return
  if (event.code === 'Space' && target?.closest(PRESSED)) return
  const shortcut = SHORTCUTS.find((each) => each.matches(event))
  if (!shortcut) return
  event.preventDefault()
  shortcut.run(actions)
}
