import { describe, expect, test } from 'vitest'
import { Listening, type Stretch, total, union } from '../src/player/intervals'

const all = (...stretches: Stretch[]): Stretch[] => stretches.reduce<Stretch[]>(union, [])

describe('what was heard', () => {
  test('counts no second twice', () => {
    const heard = all([0, 10], [5, 20], [0, 20], [30, 40], [19, 31])
    expect(heard).toEqual([[0, 40]])
    expect(total(heard)).toBe(40)
  })

  test('stays sorted and apart in whatever order it is heard', () => {
    expect(all([50, 60], [0, 10], [20, 30])).toEqual([
      [0, 10],
      [20, 30],
      [50, 60],
    ])
  })

  test('joins what almost touches', () => {
    expect(all([0, 10], [10.2, 20])).toEqual([[0, 20]])
    expect(all([0, 10], [10.5, 20])).toHaveLength(2)
  })

  test('has no empty stretches', () => {
    expect(all([5, 5], [9, 3])).toEqual([])
  })

  test('leaves out what was jumped over', () => {
    const listening = new Listening()
    for (const position of [0, 1, 2, 3]) listening.passes(position)
    listening.breaks()
    for (const position of [60, 61, 62]) listening.passes(position)
    listening.passes(200)
    listening.passes(201)
    expect(listening.stretches).toEqual([
      [0, 3],
      [60, 62],
      [200, 201],
    ])
  })
})
