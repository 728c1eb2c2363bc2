import { describe, expect, test } from 'vitest'
import * as queues from '../src/player/queue'
import { EMPTY, type Queue, type QueueTrack } from '../src/player/queue'

const track = (title: string): QueueTrack => ({
  name: `tracks/${title}`,
  title,
  album: 'albums/a',
  albumTitle: 'A',
  coverUri: '',
  artists: [],
  seconds: 60,
  genres: [],
})
const tracks = (titles: string): QueueTrack[] => [...titles].map(track)
const titles = (queue: Queue): string => queue.entries.map((entry) => entry.track.title).join('')
const current = (queue: Queue): string | undefined => queues.currentEntry(queue)?.track.title
const idOf = (queue: Queue, title: string): string => queue.entries.find((each) => each.track.title === title)!.id
const start = (at = 0, list = 'abcd'): Queue => queues.replaced(EMPTY, tracks(list), at, () => 0)

describe('the queue', () => {
  test('plays from the chosen track to the end and then stops', () => {
    const played = ['']
    for (let queue: Queue | null = start(1); queue; queue = queues.afterEnd(queue)) played.push(current(queue)!)
    expect(played.join('')).toBe('bcd')
  })

  test('begins again when it is repeated', () => {
    expect(current(queues.next({ ...start(3), repeat: 'all' })!)).toBe('a')
    expect(current(queues.previous({ ...start(0), repeat: 'all' })!)).toBe('d')
  })

  test('stays on a track that is repeated until the listener skips it', () => {
    const queue: Queue = { ...start(1), repeat: 'one' }
    expect(current(queues.afterEnd(queue)!)).toBe('b')
    expect(current(queues.next(queue)!)).toBe('c')
  })

  test('knows when it plays an album: the neighbours are of the same one, and in order', () => {
    const single = { ...track('x'), album: 'albums/x' }
    expect(queues.isInAlbum(start(3))).toBe(true)
    expect(queues.isInAlbum(queues.shuffled(start(0), () => 0))).toBe(false)
    expect(queues.isInAlbum(queues.replaced(EMPTY, [track('a'), single, track('b')], 1, () => 0))).toBe(false)
    expect(queues.isInAlbum(start(0, 'a'))).toBe(false)
    expect(queues.isInAlbum(EMPTY)).toBe(false)
  })

  test('keeps the current track when others are moved, added and removed around it', () => {
    let queue = start(2)
    queue = queues.moved(queue, idOf(queue, 'a'), 3)
    expect([titles(queue), current(queue)]).toEqual(['bcda', 'c'])
    queue = queues.playedNext(queue, tracks('x'))
    expect([titles(queue), current(queue)]).toEqual(['bcxda', 'c'])
    queue = queues.removed(queue, idOf(queue, 'b'))
    expect([titles(queue), current(queue)]).toEqual(['cxda', 'c'])
    expect(titles(queues.withoutUpcoming(queue))).toBe('c')
  })

  test('goes on with the next track when the current one is removed', () => {
    const queue = start(1)
    expect(current(queues.removed(queue, idOf(queue, 'b')))).toBe('c')
    const last = start(3)
    expect(current(queues.removed(last, idOf(last, 'd')))).toBe('c')
    const only = start(0, 'a')
    expect(queues.removed(only, idOf(only, 'a')).current).toBe(-1)
  })

  test('takes its first track from what is added while it is empty', () => {
    expect(current(queues.appended(EMPTY, tracks('ab')))).toBe('a')
  })

  test('shuffles everything but the current track and finds its order again', () => {
    let mixed = queues.shuffled(start(2), () => 0)
    expect(current(mixed)).toBe('c')
    expect(mixed.current).toBe(0)
    expect([...titles(mixed)].sort().join('')).toBe('abcd')
    expect(titles(mixed)).not.toBe('cabd')
    mixed = queues.next(mixed)!
    const back = queues.unshuffled(mixed)
    expect([titles(back), current(back)]).toEqual(['abcd', current(mixed)])
  })

  test('keeps tracks that are added while it is shuffled behind the others', () => {
    const mixed = queues.appended(queues.shuffled(start(0), () => 0), tracks('e'))
    expect(titles(queues.unshuffled(mixed))).toBe('abcde')
  })

  test('holds one track several times', () => {
    const queue = start(0, 'aa')
    expect(titles(queues.removed(queue, queue.entries[1]!.id))).toBe('a')
  })
})
