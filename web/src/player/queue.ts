/** The play queue, as a value: every change returns a new queue. */

export interface Credit {
  name: string
  displayName: string
}

/** What the player keeps of a track. */
export interface QueueTrack {
  /** `tracks/{track}`. */
  name: string
  title: string
  /** `albums/{album}`. */
  album: string
  albumTitle: string
  /** Path of the album's cover; empty where there is none. */
  coverUri: string
  artists: Credit[]
  /** Length in seconds; null until it is known. */
  seconds: number | null
  /** `genres/{genre}`. */
  genres: string[]
}

/** A track's place in the queue; one track may stand in it several times. */
export interface Entry {
  id: string
  track: QueueTrack
}

export type Repeat = 'off' | 'all' | 'one'

export interface Queue {
  entries: readonly Entry[]
  /** Index of the current entry; -1 when the queue is empty. */
  current: number
  repeat: Repeat
  shuffle: boolean
  /** Ids in the order before shuffling; empty while not shuffled. */
  ordered: readonly string[]
}

export type Random = () => number

export const EMPTY: Queue = { entries: [], current: -1, repeat: 'off', shuffle: false, ordered: [] }

let lastId = 0

function entry(track: QueueTrack): Entry {
  lastId += 1
  return { id: `${Date.now().toString(36)}-${lastId}`, track }
}

export function currentEntry(queue: Queue): Entry | undefined {
  return queue.entries[queue.current]
}

/** Whether an album is played in its order: the entry before or after the current one is of the same album. */
export function isInAlbum({ entries, current, shuffle }: Queue): boolean {
  const album = entries[current]?.track.album
  return album !== undefined && !shuffle && [current - 1, current + 1].some((index) => entries[index]?.track.album === album)
}

/** Replaces what is queued and makes the track at `start` the current one. */
export function replaced(queue: Queue, tracks: readonly QueueTrack[], start: number, random: Random): Queue {
  const entries = tracks.map(entry)
  const fresh: Queue = { ...queue, entries, current: entries.length ? start : -1, shuffle: false, ordered: [] }
  return queue.shuffle ? shuffled(fresh, random) : fresh
}

/** Puts tracks at the end. */
export function appended(queue: Queue, tracks: readonly QueueTrack[]): Queue {
  return inserted(queue, tracks, queue.entries.length)
}

/** Puts tracks behind the current one. */
export function playedNext(queue: Queue, tracks: readonly QueueTrack[]): Queue {
  return inserted(queue, tracks, queue.current + 1)
}

function inserted(queue: Queue, tracks: readonly QueueTrack[], index: number): Queue {
  const added = tracks.map(entry)
  const entries = queue.entries.toSpliced(index, 0, ...added)
  const ordered = queue.shuffle ? [...queue.ordered, ...added.map(({ id }) => id)] : []
  return { ...queue, entries, ordered, current: entries.length ? Math.max(queue.current, 0) : -1 }
}

/** Takes an entry out; when it is the current one, the next takes its place. */
export function removed(queue: Queue, id: string): Queue {
  const index = queue.entries.findIndex((each) => each.id === id)
  if (index < 0) return queue
  const entries = queue.entries.toSpliced(index, 1)
  const current = index < queue.current ? queue.current - 1 : Math.min(queue.current, entries.length - 1)
  return { ...queue, entries, current, ordered: queue.ordered.filter((each) => each !== id) }
}

/** Moves an entry to another index; the current entry stays the current one. */
export function moved(queue: Queue, id: string, to: number): Queue {
  const from = queue.entries.findIndex((each) => each.id === id)
  const moving = queue.entries[from]
  if (!moving) return queue
  const playing = currentEntry(queue)?.id
  const entries = queue.entries.toSpliced(from, 1).toSpliced(to, 0, moving)
  return { ...queue, entries, current: entries.findIndex((each) => each.id === playing) }
}

/** Takes out everything behind the current entry. */
export function withoutUpcoming(queue: Queue): Queue {
  const entries = queue.entries.slice(0, queue.current + 1)
  const kept = new Set(entries.map(({ id }) => id))
  return { ...queue, entries, ordered: queue.ordered.filter((id) => kept.has(id)) }
}

/** Makes another entry the current one. */
export function jumped(queue: Queue, id: string): Queue {
  const current = queue.entries.findIndex((each) => each.id === id)
  return current < 0 ? queue : { ...queue, current }
}

/** Goes on when a track has ended by itself; null when the queue is over. */
export function afterEnd(queue: Queue): Queue | null {
  return queue.repeat === 'one' ? queue : next(queue)
}

/** Goes to the next entry because the listener says so; null when there is none. */
export function next(queue: Queue): Queue | null {
  if (queue.current + 1 < queue.entries.length) return { ...queue, current: queue.current + 1 }
  return queue.repeat === 'off' || !queue.entries.length ? null : { ...queue, current: 0 }
}

/** Goes to the entry before; null when there is none. */
export function previous(queue: Queue): Queue | null {
  if (queue.current > 0) return { ...queue, current: queue.current - 1 }
  return queue.repeat === 'off' || !queue.entries.length ? null : { ...queue, current: queue.entries.length - 1 }
}

/** Mixes everything but the current entry, which becomes the first. */
export function shuffled(queue: Queue, random: Random): Queue {
  const playing = currentEntry(queue)
  const others = queue.entries.filter((each) => each !== playing)
  for (let i = others.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1))
    ;[others[i], others[j]] = [others[j]!, others[i]!]
  }
  const entries = playing ? [playing, ...others] : others
  const ordered = queue.entries.map(({ id }) => id)
  return { ...queue, entries, current: playing ? 0 : -1, shuffle: true, ordered }
}

/** Brings back the order before shuffling. */
export function unshuffled(queue: Queue): Queue {
  const place = new Map(queue.ordered.map((id, index) => [id, index]))
  const entries = queue.entries.toSorted((a, b) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0))
  const playing = currentEntry(queue)
  return { ...queue, entries, current: playing ? entries.indexOf(playing) : -1, shuffle: false, ordered: [] }
}
