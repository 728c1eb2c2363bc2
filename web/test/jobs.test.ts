import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from 'vitest'
import { TrackSchema } from '../src/gen/spotilike/catalog/v1/track_pb'
import { type Job, JobSchema, Job_State as State, Job_TagsSchema } from '../src/gen/spotilike/processing/v1/job_pb'
import { jobsOf, justOver, newestFirst, withNews } from '../src/studio/jobs'
import { suggestion } from '../src/studio/suggestion'

function job(name: string, begun: number, changed: number, state = State.PROCESSING, track = 'tracks/t'): Job {
  const times = { createTime: timestampFromMs(begun), updateTime: timestampFromMs(changed) }
  return create(JobSchema, { name, track, state, ...times })
}
const known = (...jobs: Job[]) => withNews(new Map(), jobs)
const names = (jobs: readonly Job[]): string[] => jobs.map(({ name }) => name)

describe('what a page knows of jobs', () => {
  test('is sorted by when they were taken in, the newest first', () => {
    expect(names(newestFirst(known(job('a', 1, 9), job('b', 3, 3), job('c', 2, 5))))).toEqual(['b', 'c', 'a'])
  })

  test('does not go back to an older answer', () => {
    const before = known(job('a', 1, 5, State.COMPLETED))
    expect(withNews(before, [job('a', 1, 4)]).get('a')?.state).toBe(State.COMPLETED)
    expect(withNews(before, [job('a', 1, 6)]).get('a')?.state).toBe(State.PROCESSING)
  })

  test('tells only once that a job is over', () => {
    const over = job('a', 1, 5, State.FAILED)
    expect(names(justOver(known(job('a', 1, 4)), [over, job('b', 2, 2)]))).toEqual(['a'])
    expect(names(justOver(known(), [over]))).toEqual(['a'])
    expect(names(justOver(known(over), [over]))).toEqual([])
  })

  test('says of a track what its newest master became, and what the newest good one was', () => {
    const sorted = newestFirst(
      known(
        job('failed', 3, 3, State.FAILED),
        job('good', 2, 2, State.COMPLETED),
        job('older', 1, 1, State.COMPLETED),
        job('other', 4, 4, State.PENDING, 'tracks/o'),
      ),
    )
    const { newest, completed } = jobsOf('tracks/t', sorted)
    expect([newest?.name, completed?.name]).toEqual(['failed', 'good'])
    expect(jobsOf('tracks/none', sorted)).toEqual({ newest: undefined, completed: undefined })
  })
})

describe('what a file says', () => {
  const track = create(TrackSchema, { title: 'First Light', trackNumber: 2 })
  const says = (tags: object) => suggestion(create(Job_TagsSchema, tags), track, 'Sketches')

  test('is offered where it differs', () => {
    expect(says({ title: 'First Light (Demo)', album: 'Drafts', trackNumber: 7 })).toEqual({
      title: 'First Light (Demo)',
      album: 'Drafts',
      trackNumber: 7,
    })
    expect(says({ title: 'First Light', album: 'Sketches', trackNumber: 7 })).toEqual({ trackNumber: 7 })
  })

  test('is nothing where it says the same or nothing', () => {
    expect(says({ title: ' First Light ', album: 'Sketches', trackNumber: 2 })).toEqual({})
    expect(says({})).toEqual({})
  })

  test('fits what the catalog takes', () => {
    expect(says({ title: 'x'.repeat(400) }).title).toHaveLength(150)
    expect(says({ trackNumber: 1000 })).toEqual({})
  })
})
